import type { Rule } from '../cause.ts'
import { on, type Tested } from '../examination.ts'
import { renderPlace } from '../probe.ts'
import type { RequestRule } from '../request.ts'
import { proofOf } from '../words.ts'

/** The application sends a client where it already is, which never ends. */
export const redirectsToItself: Rule = {
  covers: ['29'],
  judge(examination) {
    const found = on(examination, 'pod').filter(isLoop)
    const [first] = found
    if (first === undefined) return []
    return [
      {
        confidence: 'certain',
        object: renderPlace(first.probe.from),
        field: 'spec.containers',
        value: locationOf(first) ?? '',
        says: `the application redirects ${examination.subject.path} to itself (Location: ${locationOf(first)}): a client follows until it gives up`,
        proof: found.slice(0, 3).map(proofOf),
        twin: 'a redirect from HTTP to HTTPS: that leads elsewhere',
        fix: {
          says: 'see by what the application takes the request for one that belongs elsewhere: its base URL, a slash, a cookie',
        },
        rung: 'pod',
      },
    ]
  },
}

/** Behind a gateway that ends TLS, an application that looks only at its own connection sees plain HTTP and asks for HTTPS for ever. */
export const requestLoops: RequestRule = {
  covers: ['29'],
  judge({ tested, request, backend }) {
    const [first] = tested.filter(isLoop)
    if (first === undefined || backend?.causes.some(({ rule }) => rule === 'redirects-to-itself') === true) return []
    const pod = backend?.examination?.subject.backends.find((one) => one.pod !== undefined)?.pod
    const https = request.scheme === 'https'
    return [
      {
        confidence: 'certain',
        object: pod === undefined ? `request/${request.host}` : `pod/${pod.metadata.namespace}/${pod.metadata.name}`,
        field: 'spec.containers',
        value: locationOf(first) ?? '',
        says: `${request.scheme}://${request.host}${request.path} is redirected to itself${https ? ': the gateway ends TLS, and the application does not look at X-Forwarded-Proto, so that it asks for HTTPS again' : ''}`,
        proof: [proofOf(first)],
        twin: 'a redirect of the gateway’s own: that leads elsewhere',
        fix: {
          says: https
            ? 'let the application trust X-Forwarded-Proto of its proxies'
            : 'see by what the application takes the request for one that belongs elsewhere',
        },
        rung: 'gateway',
      },
    ]
  },
}

function isLoop(one: Tested): boolean {
  const { speech } = one.probe
  const location = locationOf(one)
  if ((speech.kind !== 'http' && speech.kind !== 'https') || location === undefined) return false
  const asked = `${speech.kind}://${speech.host}${speech.path}`
  return URL.canParse(location, asked) && new URL(location, asked).href === new URL(asked).href
}

function locationOf({ result }: Tested): string | undefined {
  for (const { outcome } of result.tries) {
    if (outcome.kind !== 'answered' || outcome.http === undefined) continue
    const { status, headers } = outcome.http
    if ([301, 302, 303, 307, 308].includes(status)) return headers.location
  }
  return undefined
}
