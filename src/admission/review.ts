import { isRecord, type KubeObject, type Status } from '../objects/index.ts'
import { type Attributes, requestOf } from './attributes.ts'

/** What a webhook answered, checked. */
export interface ReviewAnswer {
  readonly allowed: boolean
  readonly status: Partial<Status> | undefined
  /** A JSON patch, parsed but not checked; undefined for none. */
  readonly patch: unknown
  readonly warnings: readonly string[]
  readonly annotations: Readonly<Record<string, string>>
}

/** The AdmissionReview of admission.k8s.io/v1 that asks about a write, in the version that the webhook's rules matched. */
export function reviewOf(attributes: Attributes, uid: string, version: string): object {
  const { object, oldObject } = attributes
  const request = {
    uid,
    ...requestOf(attributes, version),
    object: as(object, attributes, version),
    oldObject: as(oldObject, attributes, version),
  }
  return { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request }
}

/** An object in another version of its kind: only the apiVersion differs. */
function as(object: KubeObject | undefined, { target, kind }: Attributes, version: string): KubeObject | null {
  if (object === undefined) return null
  if (version === target.version || kind.group !== target.group || kind.version !== target.version) return object
  return { ...object, apiVersion: `${target.group}/${version}` }
}

const limits = { warnings: 20, annotations: 50 }

/** What an answer says; a string tells in upstream's words why it is none. */
export function readReview(value: unknown, uid: string, mutating: boolean): ReviewAnswer | string {
  const { apiVersion = '', kind = '', response } = isRecord(value) ? value : {}
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview') {
    const [group, version] = String(apiVersion).includes('/') ? String(apiVersion).split('/') : ['', String(apiVersion)]
    const got = `${group}/${version}, Kind=${String(kind)}`
    return `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${got}`
  }
  if (!isRecord(response)) return 'webhook response was absent'
  if (response.uid !== uid)
    return `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`
  const patch = patchOf(response, mutating)
  if (typeof patch === 'string') return patch
  const { warnings, auditAnnotations, status } = response
  return {
    allowed: response.allowed === true,
    status: isRecord(status) ? status : undefined,
    patch: patch.value,
    warnings: Array.isArray(warnings)
      ? warnings.filter((item) => typeof item === 'string').slice(0, limits.warnings)
      : [],
    annotations: isRecord(auditAnnotations)
      ? Object.fromEntries(
          Object.entries(auditAnnotations)
            .filter((item): item is [string, string] => typeof item[1] === 'string')
            .slice(0, limits.annotations),
        )
      : {},
  }
}

function patchOf(
  { patch, patchType }: Record<string, unknown>,
  mutating: boolean,
): { readonly value: unknown } | string {
  const given = typeof patch === 'string' && patch !== ''
  if (!mutating) {
    if (given) return 'validating webhook may not return response.patch'
    return patchType === undefined ? { value: undefined } : 'validating webhook may not return response.patchType'
  }
  if (!given) return patchType ? 'webhook returned response.patchType but not response.patch' : { value: undefined }
  if (!patchType) return 'webhook returned response.patch but not response.patchType'
  if (patchType !== 'JSONPatch') return `webhook returned invalid response.patchType of ${JSON.stringify(patchType)}`
  try {
    return { value: JSON.parse(Buffer.from(patch, 'base64').toString()) }
  } catch (error) {
    return `webhook returned a patch that is not JSON: ${(error as Error).message}`
  }
}

/** The Status of a write that a webhook refused; its code is never one of success. */
export function deniedStatus(webhook: string, given: Partial<Status> | undefined): Status {
  const by = `admission webhook ${JSON.stringify(webhook)} denied the request`
  const { message, reason, code } = given ?? {}
  const says = message ? `: ${message}` : reason ? `: ${reason}` : ' without explanation'
  return {
    ...given,
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `${by}${says}`,
    code: typeof code === 'number' && code >= 400 && code < 600 ? Math.trunc(code) : 400,
  } as Status
}
