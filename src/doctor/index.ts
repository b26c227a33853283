export {
  type AgentTrouble,
  type ApiAccess,
  findAgentPod,
  findAgentTroubles,
  type Installation,
  plumbNodes,
} from './agents.ts'
export { type Capsule, emptySubject, openCapsule, readCapsule, type SavedSubject, saveCapsule } from './capsule.ts'
export type { Cause } from './cause.ts'
export { type ControlPlan, type ControlResult, type ControlTry, controlPlans } from './control.ts'
export { diagnose, diagnoseRequest } from './diagnose.ts'
export type { Diagnosis } from './diagnosis.ts'
export { requestsOfGateway, requestsOfIngress } from './entry-requests.ts'
export {
  type BgpObjects,
  type Collected,
  type Counter,
  type CrowdedPath,
  explainProbe,
  kernelQuestions,
  type ListeningAt,
  type LostClient,
  type NodeState,
  type Rise,
  type StaleConnection,
  testRequest,
} from './examination.ts'
export { findClient, ladder, type Stand } from './ladder.ts'
export { type CollectedOn, mergeCollected } from './merge.ts'
export { gatherOwners } from './owners.ts'
export { findPlugins, findProxyPod, type Plugins } from './plugins.ts'
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
export { type AskedOf, compareProxy, findStops, frontEvidence } from './proxy.ts'
export { renderDiagnosis, renderTrial } from './render.ts'
export { type AskedRequest, findBackend, gatewayProbes, routeRequest } from './request.ts'
export { frontsOf, type Subject, subjectsOf } from './subject.ts'
export { tryFix } from './trial.ts'
