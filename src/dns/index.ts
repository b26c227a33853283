export { answerPacket } from './answer.ts'
export {
  asksClusterDns,
  explainName,
  searchPathOf,
} from './explain.ts'
export type { Forward } from './forward.ts'

export { compileZone, type Zone } from './zone.ts'
