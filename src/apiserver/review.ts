import { errors } from '../objects/index.ts'
import { Refusal } from './refusal.ts'
import type { ReviewKind } from './registry.ts'
import type { User } from './scope.ts'
import { isRecord, timestamp } from './value.ts'

/** Answers a review about the asking user. Everyone who is authenticated may do everything. */
export function answerReview(kind: ReviewKind, body: unknown, user: User): object {
  if (!isRecord(body))
    throw new Refusal(errors.badRequest('the object provided is unrecognized: it is not a JSON object'))
  if (body.kind !== undefined && body.kind !== kind.kind)
    throw new Refusal(
      errors.badRequest(`${String(body.kind)} in version "${kind.version}" cannot be handled as a ${kind.kind}`),
    )
  const metadata = { creationTimestamp: kind.kind === 'SelfSubjectReview' ? timestamp() : null }
  const head = { apiVersion: `${kind.group}/${kind.version}`, kind: kind.kind, metadata }
  switch (kind.kind) {
    case 'SelfSubjectReview':
      return { ...head, status: { userInfo: userInfo(user) } }
    case 'SelfSubjectAccessReview':
      return {
        ...head,
        spec: body.spec ?? {},
        status: { allowed: true, reason: 'authenticated users are not restricted' },
      }
    case 'SelfSubjectRulesReview':
      return { ...head, spec: body.spec ?? {}, status: everything }
    default:
      throw new Refusal(errors.noSuchResource())
  }
}

const everything = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  incomplete: false,
}

function userInfo({ name, uid, groups, extra }: User) {
  return { username: name, ...(uid === '' ? {} : { uid }), groups, ...(Object.keys(extra).length > 0 ? { extra } : {}) }
}

/** The answer to a POST that stores nothing and says only that it went well. */
export function success(code: number): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code }
}
