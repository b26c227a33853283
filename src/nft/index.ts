export { decodeElements } from './decode-elements.ts'
export { describeOperation, describeSource } from './describe.ts'
export { type EncodedTransaction, encodeTransaction } from './encode.ts'
export { FakeNftables } from './fake.ts'
export { NftError } from './fake-set.ts'
export { HeldTable } from './held-table.ts'
export type { Journey, Trace } from './journey.ts'
export type * from './language.ts'
export { locateFailure } from './locate-element.ts'
export { loopbackGuard } from './loopback-guard.ts'
export type { Packet } from './packet.ts'
export { plan } from './plan.ts'
export { planElements } from './plan-elements.ts'
export { renderTable } from './render.ts'
export { renderRule } from './render-rule.ts'
export {
  decodeCounted,
  decodeGeneration,
  decodeTable,
  encodeElementsRequest,
  encodeRulesRequest,
  encodeTablesRequest,
  generationRequest,
} from './requests.ts'
export { makeState, type State } from './state.ts'
export { trace } from './trace.ts'
