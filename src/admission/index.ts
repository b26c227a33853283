export type { Attributes, Operation, Target } from './attributes.ts'
export { compileConditions, type Holds } from './conditions.ts'
export { expressionErrors } from './expressions.ts'
export {
  isExempt,
  matchedVersion,
  namespaceSelected,
  objectSelected,
  resourcesMatch,
} from './match.ts'
export { type CompiledPolicy, compilePolicy, type Failure } from './policy.ts'
export { deniedStatus, type ReviewAnswer, readReview, reviewOf } from './review.ts'
export { objectValue, variablesOf } from './variables.ts'
