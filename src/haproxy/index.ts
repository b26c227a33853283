export { parseProcesses, parseSessions, parseStat, type Worker } from './answer.ts'
export {
  type Command,
  deleteServer,
  type Exchange,
  fillMap,
  findVersion,
  prepareMap,
  renderCommand,
  type Server,
} from './command.ts'
export { findComment, type Line, quote, renderConfig, type Section, SectionFault } from './config.ts'
export { type LogWord, logFormat, parseLog } from './log.ts'
export { isMapKey, renderMap } from './map.ts'
export { parseTermination } from './termination.ts'
