export { type SpeakerAnswer, SpeakerModule } from './module.ts'
