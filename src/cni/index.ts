export { AgentUnreachable, askAgent } from './ask-agent.ts'
export { runCni } from './plugin.ts'
