export { parseInfo, parseProcesses, parseStat, type StatRow, type Worker } from './answer.ts'
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
export { type Config, type Line, quote, renderConfig, type Section } from './config.ts'
export { isMapKey, type MapEntries, renderMap } from './map.ts'
export { parseTermination, type Termination } from './termination.ts'
