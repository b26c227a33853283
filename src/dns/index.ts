export { type AnswerOptions, answerPacket } from './answer.ts'
export {
  expandName,
  explainName,
  type NameExplanation,
  type NameTried,
  type SearchPath,
  searchPathOf,
} from './explain.ts'
export type { Forward } from './forward.ts'
export { type Answer, answer, type Query } from './lookup.ts'
export type { RecordType, ResourceRecord, ResponseCode } from './record.ts'
export { reverseName } from './reverse.ts'
export { compileZone, type PodRecords, type Zone, type ZoneOptions } from './zone.ts'
