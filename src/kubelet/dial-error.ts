// What Go's net package says, by errno; people search for these words.
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
  ECONNRESET: 'read: connection reset by peer',
  EPIPE: 'write: broken pipe',
}

/** Why a connection to `target` (`10.244.0.2:80`) failed, as kubelet says it. */
export function dialMessage(target: string, error: Error): string {
  const said = words[(error as NodeJS.ErrnoException).code ?? '']
  return said === undefined ? error.message : `dial tcp ${target}: ${said}`
}
