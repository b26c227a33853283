/** What becomes of an Ingress that has an annotation which is not followed. */
export interface Unfollowed {
  /** `guard`: whoever wrote it counts on it to keep others out, so requests get 500 rather than pass without. */
  readonly kind: 'ignored' | 'guard' | 'refused'
  readonly says: string
  readonly try: string
}

const code: Unfollowed = {
  kind: 'refused',
  says: 'text of an object never becomes configuration of the proxy: who may write an Ingress could read every Secret',
  try: 'use the annotation or the Gateway API filter for what the snippet does',
}
const firewall: Unfollowed = {
  kind: 'guard',
  says: 'there is no web application firewall in this gateway',
  try: 'run one as a Service in front of the pods, and take the annotation away',
}
const guard = (what: string): Unfollowed => ({
  kind: 'guard',
  says: `${what} is not done here`,
  try: 'let the Service ask for it, and take the annotation away',
})
const ignored = (says: string, remedy = 'take the annotation away'): Unfollowed => ({
  kind: 'ignored',
  says,
  try: remedy,
})
const rate = ignored('bytes are not counted by client', 'limit them in the Service')
const errorPages = ignored('error pages are those of the Service', 'let the Service answer them')
const buffering = ignored('answers are streamed as they come')
const rewriting = ignored('answers are not rewritten but for their headers', 'let the Service know its outer name')

/** Annotations of ingress-nginx that are known and not followed. */
export const unfollowed: ReadonlyMap<string, Unfollowed> = new Map(
  Object.entries({
    'configuration-snippet': code,
    'server-snippet': code,
    'stream-snippet': code,
    'auth-snippet': code,
    'modsecurity-snippet': firewall,
    'enable-modsecurity': firewall,
    'enable-owasp-core-rules': firewall,
    'enable-global-auth': ignored('there is no authentication for all'),
    'limit-rate': rate,
    'limit-rate-after': rate,
    'custom-http-errors': errorPages,
    'default-backend': errorPages,
    'mirror-request-body': ignored('copies of requests have their body'),
    'mirror-host': ignored('copies of requests have their host'),
    'proxy-next-upstream-timeout': ignored('tries are bounded by their number'),
    'proxy-buffering': buffering,
    'proxy-buffer-size': buffering,
    'proxy-buffers-number': buffering,
    'proxy-max-temp-file-size': buffering,
    'proxy-request-buffering': ignored('requests are streamed as they come'),
    'client-body-buffer-size': ignored('requests are streamed as they come'),
    'proxy-http-version': ignored('pods are asked by HTTP/1.1, or by HTTP/2 where the Service says so'),
    'proxy-cookie-domain': rewriting,
    'proxy-cookie-path': rewriting,
    'proxy-redirect-from': rewriting,
    'proxy-redirect-to': rewriting,
    satisfy: guard('passing by one of several proofs'),
    'ssl-ciphers': ignored('ciphers are the same for all names'),
    'ssl-prefer-server-ciphers': ignored('ciphers are the same for all names'),
    'enable-access-log': ignored('every request is told to plumb flows --http'),
    'enable-rewrite-log': ignored('every request is told to plumb flows --http'),
    'enable-opentelemetry': ignored('requests are not traced'),
    'preserve-trailing-slash': ignored('slashes of redirects stay as they are'),
    'affinity-canary-behavior': ignored('a session is kept within the backend that its request was led to'),
    'affinity-mode': ignored('a session keeps its pod as long as that is there'),
    'session-cookie-change-on-failure': ignored('a session whose pod is gone gets another'),
    'session-cookie-path': ignored('cookies of sessions are for the path /'),
    'session-cookie-samesite': ignored('cookies of sessions are SameSite=Lax'),
    'session-cookie-secure': ignored('cookies of sessions are sent by HTTP too'),
    'session-cookie-domain': ignored('cookies of sessions are for the host alone'),
    'connection-proxy-header': ignored('the gateway’s own connections decide'),
  }),
)
