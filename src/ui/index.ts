export { serveUi } from './server.ts'
export type { Agents, Source, State, WhyAsked } from './source.ts'
