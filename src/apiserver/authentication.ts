import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { User } from './scope.ts'

// One certificate per connection: it is read once, not for each request.
const users = new WeakMap<object, User | null>()

/** Who is on the other end: CN and O of a client certificate that our CA signed. Undefined: nobody that we know. */
export function authenticate(request: IncomingMessage): User | undefined {
  const socket = request.socket as TLSSocket
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
