export { cleanUpSpeaker } from './clean-up.ts'
export { type SpeakerAnswer, SpeakerModule } from './module.ts'
