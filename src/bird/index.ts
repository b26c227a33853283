export type { BirdConfig, BirdExport, BirdPeer } from './model.ts'
export { renderBird } from './render.ts'
export { type BirdReply, type BirdSession, parseReply, parseSessions } from './replies.ts'
