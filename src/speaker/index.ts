export type { SpeakerAnswer } from './answer.ts'
export { cleanUpSpeaker } from './clean-up.ts'
export { SpeakerModule } from './module.ts'
