import { callCni } from './call.ts'

await callCni()
