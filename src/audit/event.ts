import { isRecord } from '../objects/index.ts'
import type { AuditDecision, AuditSubject, Stage } from './policy.ts'

interface UserInfo {
  readonly username: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** What is known of a request when it arrives. */
export interface AuditedRequest {
  readonly auditID: string
  readonly requestURI: string
  readonly subject: AuditSubject
  readonly apiVersion: string
  readonly user: UserInfo
  readonly impersonatedUser: UserInfo | undefined
  readonly sourceIPs: readonly string[]
  readonly userAgent: string
  /** Milliseconds since 1970. */
  readonly receivedMs: number
}

/** What became of it. */
export interface AuditedAnswer {
  readonly code: number
  /** The Status or object that was answered, if it was read. */
  readonly body: unknown
  readonly requestBody: unknown
  readonly annotations: Readonly<Record<string, string>>
}

/** The audit.k8s.io/v1 Event of one stage of a request; undefined for a stage that is left out. */
export function eventOf(
  decision: AuditDecision,
  request: AuditedRequest,
  stage: Stage,
  answer: AuditedAnswer | undefined,
  nowMs: number,
): object | undefined {
  const { level, omitStages, omitManagedFields } = decision
  if (level === 'None' || omitStages.includes(stage)) return undefined
  const keep = (value: unknown) => (omitManagedFields ? withoutManagedFields(value) : value)
  const withRequest = (level === 'Request' || level === 'RequestResponse') && answer?.requestBody !== undefined
  const withResponse = level === 'RequestResponse' && stage === 'ResponseComplete' && answer?.body !== undefined
  const { user, impersonatedUser, sourceIPs, userAgent, auditID, requestURI, subject } = request
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level,
    auditID,
    stage,
    requestURI,
    verb: subject.verb,
    user,
    ...(impersonatedUser === undefined ? {} : { impersonatedUser }),
    sourceIPs,
    userAgent,
    ...('path' in subject ? {} : { objectRef: referenceOf(request, withRequest ? answer?.requestBody : undefined) }),
    ...(answer === undefined ? {} : { responseStatus: statusOf(answer) }),
    ...(withRequest ? { requestObject: keep(answer?.requestBody) } : {}),
    ...(withResponse ? { responseObject: keep(answer?.body) } : {}),
    requestReceivedTimestamp: microTime(request.receivedMs),
    stageTimestamp: microTime(nowMs),
    ...(answer === undefined || Object.keys(answer.annotations).length === 0
      ? {}
      : { annotations: answer.annotations }),
  }
}

/** The object that the request is about, as far as its path and its body tell. */
function referenceOf({ subject, apiVersion }: AuditedRequest, body: unknown): object {
  if ('path' in subject) return {}
  const metadata = isRecord(body) && isRecord(body.metadata) ? body.metadata : {}
  const filled = {
    resource: subject.resource,
    namespace: subject.namespace || metadata.namespace,
    name: subject.name || metadata.name,
    uid: metadata.uid,
    apiGroup: subject.group,
    apiVersion,
    resourceVersion: metadata.resourceVersion,
    subresource: subject.subresource,
  }
  return Object.fromEntries(Object.entries(filled).filter(([, value]) => typeof value === 'string' && value !== ''))
}

function statusOf({ code, body }: AuditedAnswer): object {
  const { kind, status, reason, message, details } = isRecord(body) ? body : {}
  if (kind !== 'Status') return { metadata: {}, code }
  const filled = Object.entries({ status, reason, message, details }).filter(([, value]) => value !== undefined)
  return { metadata: {}, ...Object.fromEntries(filled), code }
}

function withoutManagedFields(value: unknown): unknown {
  if (!isRecord(value)) return value
  const { metadata, items } = value
  const own =
    isRecord(metadata) && 'managedFields' in metadata ? { metadata: { ...metadata, managedFields: undefined } } : {}
  return { ...value, ...own, ...(Array.isArray(items) ? { items: items.map(withoutManagedFields) } : {}) }
}

function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`
}
