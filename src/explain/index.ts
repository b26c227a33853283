export type { Answer, Branch, End, Observation, Observed, Question, Stage, Step, Transport, Verdict } from './answer.ts'
export { confirm, type Evidence, observationsOf } from './confirm.ts'
export { type ClusterFacts, explainConnection } from './connection.ts'
export { renderAnswer, renderQuestion } from './render.ts'
