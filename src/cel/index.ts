export { Authorizer, type Decide } from './authorizer.ts'
export { celValue, compileExpression, expressionProblem, firstLine, type Program } from './environment.ts'
export { re2, re2Problem } from './re2.ts'
