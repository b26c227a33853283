import { errors } from '../objects/index.ts'
import type { Attempt } from './authorization.ts'
import type { Core } from './core.ts'
import { decide } from './decision.ts'
import { grantsOf } from './policy-rules.ts'
import { Refusal } from './refusal.ts'
import type { ReviewKind } from './registry.ts'
import type { User } from './scope.ts'
import { authenticateToken } from './token-authentication.ts'
import { isRecord, type JsonRecord, timestamp } from './value.ts'

/** Answers a review: who somebody is, what somebody may do. `namespace` is that of the path, for local reviews. */
export function answerReview(
  core: Core,
  kind: ReviewKind,
  body: unknown,
  user: User,
  namespace: string | undefined,
): object {
  if (!isRecord(body))
    throw new Refusal(errors.badRequest('the object provided is unrecognized: it is not a JSON object'))
  if (body.kind !== undefined && body.kind !== kind.kind)
    throw new Refusal(
      errors.badRequest(`${String(body.kind)} in version "${kind.version}" cannot be handled as a ${kind.kind}`),
    )
  const metadata = { creationTimestamp: kind.kind === 'SelfSubjectReview' ? timestamp() : null }
  const spec = isRecord(body.spec) ? body.spec : {}
  const head = { apiVersion: `${kind.group}/${kind.version}`, kind: kind.kind, metadata }
  switch (kind.kind) {
    case 'SelfSubjectReview':
      return { ...head, status: { userInfo: userInfo(user) } }
    case 'TokenReview':
      return { ...head, spec, status: reviewToken(core, spec) }
    case 'SelfSubjectAccessReview':
      return { ...head, spec, status: reviewAccess(core, spec, user, undefined) }
    case 'SubjectAccessReview':
    case 'LocalSubjectAccessReview':
      return { ...head, spec, status: reviewAccess(core, spec, subjectOf(spec), namespace) }
    case 'SelfSubjectRulesReview':
      return { ...head, spec, status: reviewRules(core, spec, user) }
    default:
      throw new Refusal(errors.noSuchResource())
  }
}

function reviewToken(core: Core, { token, audiences }: JsonRecord): object {
  if (typeof token !== 'string' || token === '')
    throw new Refusal(errors.badRequest('token is required for TokenReview in authentication'))
  const asked = Array.isArray(audiences) && audiences.length > 0 ? audiences.map(String) : [core.tokens.issuer]
  const found = authenticateToken(core, token, asked)
  if (typeof found === 'string') return { user: {}, error: found }
  return { authenticated: true, user: userInfo(found.user), audiences: found.audiences }
}

function reviewAccess(core: Core, spec: JsonRecord, user: User, namespace: string | undefined): object {
  const { allowed, reason } = decide(core.reader, core.nodes, user, attemptOf(spec, namespace))
  return { allowed, ...(reason === '' ? {} : { reason }) }
}

function attemptOf({ resourceAttributes, nonResourceAttributes }: JsonRecord, place: string | undefined): Attempt {
  if (isRecord(nonResourceAttributes) && !isRecord(resourceAttributes))
    return { verb: textOf(nonResourceAttributes.verb), path: textOf(nonResourceAttributes.path) }
  if (!isRecord(resourceAttributes)) {
    const message = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
    throw new Refusal(errors.badRequest(`spec.resourceAttributes: Invalid value: null: ${message}`))
  }
  const { verb, group, resource, subresource, namespace, name } = resourceAttributes
  const whole = subresource ? `${textOf(resource)}/${textOf(subresource)}` : textOf(resource)
  const object = textOf(name) || undefined
  return {
    verb: textOf(verb),
    group: textOf(group),
    resource: whole,
    namespace: place ?? (textOf(namespace) || undefined),
    name: object,
  }
}

function subjectOf({ user, groups, uid, extra }: JsonRecord): User {
  if (!user && !(Array.isArray(groups) && groups.length > 0))
    throw new Refusal(
      errors.badRequest('spec.user: Invalid value: "": at least one of user or group must be specified'),
    )
  return {
    name: textOf(user),
    uid: textOf(uid),
    groups: Array.isArray(groups) ? groups.map(String) : [],
    extra: isRecord(extra) ? (extra as User['extra']) : {},
  }
}

function reviewRules(core: Core, { namespace }: JsonRecord, user: User): object {
  if (user.groups.includes('system:masters')) return everything
  const place = textOf(namespace)
  if (place === '') throw new Refusal(errors.badRequest('no namespace on request'))
  const rules = [...grantsOf(core.reader, user, place)].flatMap((grant) => grant.rules)
  return {
    resourceRules: rules
      .filter(({ resources }) => resources?.length)
      .map(({ verbs, apiGroups, resources, resourceNames }) => ({ verbs, apiGroups, resources, resourceNames })),
    nonResourceRules: rules
      .filter(({ nonResourceURLs }) => nonResourceURLs?.length)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
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
