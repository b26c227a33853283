export type { Cause, Patch } from './cause.ts'
export { type Diagnosis, diagnose } from './diagnose.ts'
export { type Collected, explainProbe, kernelQuestions, type ListeningAt, type NodeState } from './examination.ts'
export { findClient, ladder, type Stand } from './ladder.ts'
export {
  type HttpAnswer,
  type Outcome,
  type Place,
  type Probe,
  type ProbeResult,
  renderPlace,
  type Speech,
  type TlsAnswer,
  type Wire,
} from './probe.ts'
export { renderDiagnosis, renderTrial } from './render.ts'
export { type Subject, subjectsOf } from './subject.ts'
export { tryFix } from './trial.ts'
