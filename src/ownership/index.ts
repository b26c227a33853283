export { type Applied, apply } from './apply.ts'
export type { ManagedFieldsEntry } from './managers.ts'
export { update } from './update.ts'
