import type { Section } from '../haproxy/index.ts'
import { innerSocket, type Paths, words } from './lower-words.ts'
import type { Entrance } from './model.ts'

/** The socket on which copies of requests come back, to be sent as any other. */
const mirrorSocket = (directory: string): string => innerSocket(directory, 'mirror')

/** The program that HAProxy runs for conditions and filters, told where its maps are: HAProxy 2.6 gives such a program no arguments. */
export function placeRouter(router: string, directory: string, { groups, regexes, actions }: Paths): string {
  const places = Object.entries({ groups, regexes, actions, mirror: mirrorSocket(directory) })
  return `places = { ${places.map(([name, place]) => `${name} = ${JSON.stringify(place)}`).join(', ')} }\n${router}`
}

/** What is the same for all: limits, the sockets of the agent, the router, the way of mirrored requests. */
export function frame(directory: string, paths: Paths, entrances: readonly Entrance[]): Section[] {
  const isValidating = entrances.some(
    ({ clientValidation, listeners }) =>
      clientValidation !== undefined || listeners.some(({ clientAuthority }) => clientAuthority !== undefined),
  )
  return [
    {
      keyword: 'global',
      lines: [
        // Connections follow from it: two descriptors each. A container's limit may be a billion, for which HAProxy would make room.
        ['fd-hard-limit', '50000'],
        ['stats', 'socket', paths.runtime, 'mode', '600', 'level', 'admin'],
        ['stats', 'timeout', '30s'],
        // Old workers wait this long for long connections after a reload.
        ['hard-stop-after', '1h'],
        // An idle connection is not closed under a client that is just about to use it: it ends with its next answer (`lastAnswer`).
        ['close-spread-time', '60s'],
        ['ssl-default-bind-options', 'ssl-min-ver', 'TLSv1.2', 'no-tls-tickets'],
        // Ports share the sessions of TLS, and one that is resumed is not asked for a certificate again: it would carry what one port lets in to
        // another that asks for more.
        ...(isValidating ? [['tune.ssl.cachesize', '0']] : []),
        ['lua-load-per-thread', paths.router],
      ],
    },
    {
      keyword: 'ring',
      name: 'flows',
      lines: [
        words('format raw'),
        words('maxlen 8192'),
        words('size 1048576'),
        words('timeout connect 5s'),
        words('timeout server 10s'),
        ['server', 'relay', innerSocket(directory, 'flows')],
      ],
    },
    {
      // Between the ring and the agent: a ring whose server is away connects again at once, for ever, at the cost of a whole core (HAProxy 2.6).
      // Here the third try within a second waits for the next.
      keyword: 'listen',
      name: 'flows',
      lines: [
        ['mode', 'tcp'],
        ['bind', innerSocket(directory, 'flows')],
        ['timeout', 'connect', '5s'],
        ['timeout', 'client', '1h'],
        ['timeout', 'server', '1h'],
        words('tcp-request inspect-delay 1s'),
        words('tcp-request content accept if { fe_sess_rate le 2 }'),
        words('tcp-request content accept if WAIT_END'),
        ['retries', '0'],
        ['server', 'agent', `unix@${paths.flows}`],
      ],
    },
    {
      keyword: 'defaults',
      lines: [
        ['mode', 'http'],
        ['timeout', 'connect', '3s'],
        ['timeout', 'client', '60s'],
        ['timeout', 'server', '60s'],
        ['timeout', 'http-request', '10s'],
        ['timeout', 'http-keep-alive', '60s'],
        ['timeout', 'tunnel', '1h'],
        ['option', 'splice-auto'],
        // Another server at once, not the same a second later; nothing was sent yet, so any request may be tried again.
        ['option', 'redispatch', '1'],
        ['retries', '3'],
        // A server may close an idle connection as a request is on its way to it. Such a request is tried again if it may be done twice.
        words('retry-on conn-failure empty-response'),
        // Longer lines would be cut off (1,024 bytes), and a cut line is none.
        words('log ring@flows len 8192 format raw local0'),
      ],
    },
    {
      keyword: 'frontend',
      name: 'mirror',
      lines: [
        ['bind', mirrorSocket(directory)],
        words('no log'),
        ['http-request', 'set-var(txn.mirror)', 'req.hdr(x-plumb-mirror),field(1,@)'],
        words('http-request del-header x-plumb-mirror'),
        // Clients of our own know a few methods only.
        words('http-request set-method %[req.hdr(x-plumb-method)] if { req.hdr(x-plumb-method) -m found }'),
        words('http-request del-header x-plumb-method'),
        ['use_backend', '%[var(txn.mirror)]'],
        // Who asked can tell what a Service answered from what the gateway says because nobody did.
        words('http-response set-var(txn.answered) bool(true)'),
        words('http-after-response set-header proxy-status plumb if !{ var(txn.answered) -m bool }'),
      ],
    },
  ]
}
