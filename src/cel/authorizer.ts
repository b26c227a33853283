import type * as Cel from '@marcbachmann/cel-js'

/** What an expression asks whether it is allowed. */
export type AskedAttempt =
  | { readonly verb: string; readonly path: string }
  | {
      readonly verb: string
      readonly group: string
      readonly resource: string
      readonly namespace: string | undefined
      readonly name: string | undefined
    }

/** Who decides: the reason to allow, or undefined; for the user of the request, or for a service account that is named. */
export type Decide = (
  attempt: AskedAttempt,
  account?: { readonly namespace: string; readonly name: string },
) => string | undefined

type Ask = (attempt: AskedAttempt) => string | undefined

interface ResourceWords {
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
}

/** The variable `authorizer` of Kubernetes' expressions (KEP-3488): questions to authorization, put together word by word. */
export class Authorizer {
  readonly requestResource: ResourceCheck
  readonly #decide: Decide
  readonly #ask: Ask

  constructor(decide: Decide, request: ResourceWords, account?: { readonly namespace: string; readonly name: string }) {
    this.#decide = decide
    this.#ask = (attempt) => decide(attempt, account)
    this.requestResource = new ResourceCheck(this.#ask, request)
  }

  path(path: string): PathCheck {
    return new PathCheck(this.#ask, path)
  }

  group(group: string): GroupCheck {
    return new GroupCheck(this.#ask, group)
  }

  serviceAccount(namespace: string, name: string): Authorizer {
    return new Authorizer(this.#decide, this.requestResource.words, { namespace, name })
  }
}

class PathCheck {
  readonly ask: Ask
  readonly path: string
  constructor(ask: Ask, path: string) {
    this.ask = ask
    this.path = path
  }
}

class GroupCheck {
  readonly ask: Ask
  readonly group: string
  constructor(ask: Ask, group: string) {
    this.ask = ask
    this.group = group
  }
}

class ResourceCheck {
  readonly ask: Ask
  readonly words: ResourceWords
  constructor(ask: Ask, words: ResourceWords) {
    this.ask = ask
    this.words = words
  }

  with(more: Partial<ResourceWords>): ResourceCheck {
    return new ResourceCheck(this.ask, { ...this.words, ...more })
  }

  check(verb: string): Decision {
    const { group, resource, subresource, namespace, name } = this.words
    const whole = subresource === '' ? resource : `${resource}/${subresource}`
    return new Decision(
      this.ask({ verb, group, resource: whole, namespace: namespace || undefined, name: name || undefined }),
    )
  }
}

class Decision {
  readonly because: string | undefined
  constructor(because: string | undefined) {
    this.because = because
  }
}

const none = { resource: '', subresource: '', namespace: '', name: '' }

/** Adds the types and functions of `authorizer` to an environment. */
export function registerAuthorizer(environment: Cel.Environment): Cel.Environment {
  const name = (type: string) => `kubernetes.authorization.${type}`
  const types = { Authorizer, PathCheck, GroupCheck, ResourceCheck, Decision }
  for (const [type, ctor] of Object.entries(types)) environment.registerType(name(type), ctor as never)
  // biome-ignore lint/suspicious/noExplicitAny: the library types its handlers so
  const method = (signature: string, result: string, handler: (...values: any[]) => unknown) =>
    environment.registerFunction(`${name(signature)}: ${result}`, handler)
  method('Authorizer.path(string)', name('PathCheck'), (it: Authorizer, path: string) => it.path(path))
  method('Authorizer.group(string)', name('GroupCheck'), (it: Authorizer, group: string) => it.group(group))
  method(
    'Authorizer.serviceAccount(string, string)',
    name('Authorizer'),
    (it: Authorizer, space: string, own: string) => it.serviceAccount(space, own),
  )
  method(
    'PathCheck.check(string)',
    name('Decision'),
    (it: PathCheck, verb: string) => new Decision(it.ask({ verb, path: it.path })),
  )
  method(
    'GroupCheck.resource(string)',
    name('ResourceCheck'),
    (it: GroupCheck, resource: string) => new ResourceCheck(it.ask, { ...none, group: it.group, resource }),
  )
  for (const word of ['subresource', 'namespace', 'name'])
    method(`ResourceCheck.${word}(string)`, name('ResourceCheck'), (it: ResourceCheck, value: string) =>
      it.with({ [word]: value }),
    )
  method('ResourceCheck.check(string)', name('Decision'), (it: ResourceCheck, verb: string) => it.check(verb))
  method('Decision.allowed()', 'bool', (it: Decision) => it.because !== undefined)
  method('Decision.reason()', 'string', (it: Decision) => it.because ?? '')
  method('Decision.errored()', 'bool', () => false)
  method('Decision.error()', 'string', () => '')
  return environment
}
