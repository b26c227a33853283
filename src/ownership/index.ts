export { type Applied, type ApplyRequest, apply, type Conflict } from './apply.ts'
export type { ManagedFieldsEntry } from './managers.ts'
export { type OwnedKind, type UpdateRequest, update } from './update.ts'
