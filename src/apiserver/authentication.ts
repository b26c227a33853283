import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { Core } from './core.ts'
import type { User } from './scope.ts'
import { authenticateToken } from './token-authentication.ts'

// One certificate per connection: it is read once, not for each request.
const users = new WeakMap<object, User | null>()

/**
 * Who asks: CN and O of a client certificate that our CA signed, or the service account of a bearer token for this server.
 * Undefined: nobody that we know, or a token that is not believed.
 */
export function authenticate(core: Core, request: IncomingMessage): User | undefined {
  const byCertificate = certificateUser(request.socket as TLSSocket)
  if (byCertificate !== undefined) return byCertificate
  const token = /^bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token === undefined) return undefined
  const found = authenticateToken(core, token, [core.tokens.issuer])
  return typeof found === 'string' ? undefined : found.user
}

function certificateUser(socket: TLSSocket): User | undefined {
  let user = users.get(socket)
  if (user === undefined) {
    user = userOf(socket) ?? null
    users.set(socket, user)
  }
  return user ?? undefined
}

function userOf(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined
  const subject = socket.getPeerCertificate()?.subject as Record<string, string | string[]> | undefined
  const name = subject?.CN
  if (typeof name !== 'string' || name === '') return undefined
  const organizations = subject?.O ?? []
  const groups = [...(Array.isArray(organizations) ? organizations : [organizations]), 'system:authenticated']
  return { name, uid: '', groups, extra: {} }
}
