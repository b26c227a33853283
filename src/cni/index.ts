export { AgentUnreachable, askAgent } from './ask-agent.ts'
export { callCni } from './call.ts'
export { installCni } from './install-plugin.ts'
export { runCni } from './plugin.ts'
