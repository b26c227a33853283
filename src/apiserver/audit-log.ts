import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import {
  type AuditDecision,
  type AuditedRequest,
  type AuditPolicy,
  type AuditSubject,
  decideAudit,
  eventOf,
  parseAuditPolicy,
  type Stage,
} from '../audit/index.ts'
import type { Answer } from './answer.ts'
import { AuditFile } from './audit-file.ts'
import type { Attempt } from './authorization.ts'
import { mediaType, parseBody } from './body.ts'
import type { AuditOptions } from './options.ts'
import type { ResourcePath } from './path.ts'
import type { User } from './scope.ts'

interface AuditRecord {
  readonly decision: AuditDecision
  request: AuditedRequest
  readonly annotations: Record<string, string>
  body: { readonly bytes: Buffer; readonly type: string } | undefined
}

/** Who asks for what, as far as it is known. */
export interface Asker {
  /** Undefined: nobody that the server knows. */
  readonly user: User | undefined
  readonly path: ResourcePath | undefined
  readonly attempt: Attempt
}

/** Follows requests and writes down what the policy wants of them. A request is known by what answers it: a response or a socket. */
export class AuditLog {
  readonly #policy: AuditPolicy
  readonly #file: AuditFile
  readonly #records = new WeakMap<object, AuditRecord>()

  constructor(policy: AuditPolicy, file: AuditFile) {
    this.#policy = policy
    this.#file = file
  }

  flush(): Promise<void> {
    return this.#file.flush()
  }

  /** A request has been understood; the ID of its events, or undefined when there will be none. */
  receive(key: object, request: IncomingMessage, asker: Asker): string | undefined {
    const { user, attempt, path } = asker
    const subject = subjectOf(user, attempt, path)
    const decision = decideAudit(this.#policy, subject)
    if (decision.level === 'None') return undefined
    const record: AuditRecord = {
      decision,
      request: {
        auditID: auditIdOf(request),
        requestURI: request.url ?? '/',
        subject,
        apiVersion: path?.version ?? '',
        user: userInfo(user),
        impersonatedUser: undefined,
        sourceIPs: [request.socket.remoteAddress ?? ''],
        userAgent: request.headers['user-agent'] ?? '',
        receivedMs: Date.now(),
      },
      annotations: {},
      body: undefined,
    }
    this.#records.set(key, record)
    this.#write(record, 'RequestReceived', undefined)
    return record.request.auditID
  }

  /** The request is made in somebody else's name. */
  impersonate(key: object, user: User): void {
    const record = this.#records.get(key)
    if (record !== undefined) record.request = { ...record.request, impersonatedUser: userInfo(user) }
  }

  annotate(key: object, name: string, text: string): void {
    const record = this.#records.get(key)
    if (record !== undefined) record.annotations[name] = text
  }

  /** The body of a request was read. */
  read(key: object, bytes: Buffer, type: string | undefined): void {
    const record = this.#records.get(key)
    if (record !== undefined && record.decision.level !== 'Metadata' && bytes.length > 0)
      record.body = { bytes, type: mediaType(type) }
  }

  /** A stream begins. */
  start(key: object, code: number): void {
    const record = this.#records.get(key)
    if (record !== undefined)
      this.#write(record, 'ResponseStarted', {
        code,
        body: undefined,
        requestBody: undefined,
        annotations: record.annotations,
      })
  }

  /** The request was answered, or its stream has ended. */
  async complete(key: object, code: number, answer?: Answer): Promise<void> {
    const record = this.#records.get(key)
    if (record === undefined) return
    this.#records.delete(key)
    // A Status is always of interest: it says why a request failed.
    const wanted = record.decision.level === 'RequestResponse' || code >= 400
    const body = wanted && answer?.type.startsWith('application/json') ? jsonOf(answer.body) : undefined
    const requestBody = record.body === undefined ? undefined : await parsed(record.body)
    this.#write(record, 'ResponseComplete', { code, body, requestBody, annotations: record.annotations })
  }

  #write({ decision, request }: AuditRecord, stage: Stage, answer: Parameters<typeof eventOf>[3]): void {
    const event = eventOf(decision, request, stage, answer, Date.now())
    if (event !== undefined) this.#file.write(event)
  }
}

/** The audit log of the options; `onLost` is called for each event that cannot be written. Throws when the policy is none. */
export async function openAuditLog(options: AuditOptions, onLost: () => void): Promise<AuditLog> {
  const { policyFile, path, maxSizeMb = 100, maxBackups = 10 } = options
  const { parse } = await import('yaml')
  const policy = parseAuditPolicy(parse(readFileSync(policyFile, 'utf8'), { maxAliasCount: 100 }))
  if (!('rules' in policy)) throw new Error(`${policyFile} is no audit policy: ${policy.join('; ')}`)
  return new AuditLog(policy, new AuditFile(path, { maxBytes: maxSizeMb * 1024 * 1024, maxBackups }, onLost))
}

function subjectOf(user: User | undefined, attempt: Attempt, path: ResourcePath | undefined): AuditSubject {
  const who = { user: user?.name ?? '', groups: user?.groups ?? [], verb: attempt.verb }
  if ('path' in attempt || path === undefined) return { ...who, path: 'path' in attempt ? attempt.path : '' }
  const { group, plural, subresource = '', name = '' } = path
  return { ...who, group, resource: plural, subresource, namespace: attempt.namespace ?? '', name }
}

/** The client's own ID when it sends a plain one, as upstream. */
function auditIdOf({ headers }: IncomingMessage): string {
  const given = headers['audit-id']
  return typeof given === 'string' && /^[\x21-\x7e]{1,64}$/.test(given) ? given : randomUUID()
}

function userInfo(user: User | undefined): AuditedRequest['user'] {
  if (user === undefined) return { username: '', groups: [] }
  const { name, uid, groups, extra } = user
  return { username: name, ...(uid === '' ? {} : { uid }), groups, ...(Object.keys(extra).length > 0 ? { extra } : {}) }
}

async function parsed({ bytes, type }: NonNullable<AuditRecord['body']>): Promise<unknown> {
  try {
    if (type.endsWith('+json')) return jsonOf(bytes)
    return await parseBody(bytes, type.endsWith('+yaml') ? 'application/yaml' : type)
  } catch {
    return undefined
  }
}

function jsonOf(text: Buffer | string): unknown {
  try {
    return JSON.parse(text.toString()) as unknown
  } catch {
    return undefined
  }
}
