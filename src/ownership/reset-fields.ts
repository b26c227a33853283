import type { Kind } from '../objects/index.ts'
import { emptySet, type FieldSet, setOfPaths } from './field-set.ts'

const status = setOfPaths(['f:status'])
const allButStatus = setOfPaths(['f:spec'], ['f:metadata', 'f:ownerReferences'], ['f:metadata', 'f:deletionTimestamp'])
const allButStatusAndLabels = setOfPaths(['f:spec'], ['f:metadata', 'f:labels'], ['f:metadata', 'f:ownerReferences'])

/**
 * Fields that a write through this endpoint cannot change, so that it neither owns nor takes them: `status` on the object
 * itself, everything else on `/status` (upstream's GetResetFields).
 */
export function resetFields(kind: Pick<Kind, 'kind' | 'subresources'>, subresource: string | undefined): FieldSet {
  if (subresource === 'status') return kind.kind === 'Deployment' ? allButStatusAndLabels : allButStatus
  return kind.subresources.includes('status') ? status : emptySet
}
