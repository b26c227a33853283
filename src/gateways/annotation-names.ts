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
const ignored = (says: string, remedy = 'take the annotation away'): Unfollowed => ({
  kind: 'ignored',
  says,
  try: remedy,
})
const rate = ignored('bytes are not counted by client', 'limit them in the Service')
const buffering = ignored('answers are streamed as they come')

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
    'proxy-next-upstream-timeout': ignored('tries are bounded by their number'),
    'proxy-buffering': buffering,
    'proxy-buffer-size': buffering,
    'proxy-buffers-number': buffering,
    'proxy-max-temp-file-size': buffering,
    'proxy-request-buffering': ignored('requests are streamed as they come'),
    'client-body-buffer-size': ignored('requests are streamed as they come'),
    'proxy-http-version': ignored('pods are asked by HTTP/1.1, or by HTTP/2 where the Service says so'),
    'ssl-ciphers': ignored('ciphers are the same for all names'),
    'ssl-prefer-server-ciphers': ignored('ciphers are the same for all names'),
    'enable-access-log': ignored('every request is told to plumb flows --http'),
    'enable-rewrite-log': ignored('every request is told to plumb flows --http'),
    'enable-opentelemetry': ignored('requests are not traced'),
    'preserve-trailing-slash': ignored('slashes of redirects stay as they are'),
    'affinity-canary-behavior': ignored('a session is kept within the backend that its request was led to'),
    'affinity-mode': ignored('a session keeps its pod as long as that is there'),
    'session-cookie-change-on-failure': ignored('a session whose pod is gone gets another'),
    'session-cookie-conditional-samesite-none': ignored('SameSite is the same for all browsers'),
    'upstream-hash-by-subset': ignored('what is hashed leads to one pod'),
    'upstream-hash-by-subset-size': ignored('what is hashed leads to one pod'),
    'auth-always-set-cookie': ignored('cookies of who is asked go on with no answer'),
    'auth-cache-duration': ignored('every request is asked about'),
    'auth-keepalive': ignored('connections to who is asked are the gateway’s own'),
    'auth-request-redirect': ignored('the URI of the request is told in X-Auth-Request-Redirect'),
    'relative-redirects': ignored('redirects name the host'),
    'proxy-ssl-ciphers': ignored('ciphers are the same for all pods'),
    'proxy-ssl-protocols': ignored('versions of TLS are the same for all pods'),
    'proxy-ssl-verify-depth': ignored('chains of pods may be as long as OpenSSL takes them'),
    'proxy-busy-buffers-size': buffering,
    'modsecurity-transaction-id': ignored('there is no web application firewall in this gateway'),
    'connection-proxy-header': ignored('the gateway’s own connections decide'),
  }),
)
