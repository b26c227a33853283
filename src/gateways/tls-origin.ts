import { createHash } from 'node:crypto'
import type { BackendModel, BackendTls, GatewayModel, ServerModel } from './model.ts'

/**
 * A pod to which TLS is spoken outside HAProxy, which can check a certificate against the name that it sends and against none else
 * (Configuration Manual, `verifyhost`): policies with `subjectAltNames` need more.
 */
export interface TlsOrigin {
  readonly server: ServerModel
  /** Sent as SNI. */
  readonly host: string
  readonly names: BackendTls['names']
  readonly alpn: 'h2' | 'http/1.1'
  /** PEM; undefined for the system's. */
  readonly authority: string | undefined
  /** Chain and key in PEM. */
  readonly clientCertificate: string | undefined
}

/** Whether TLS to a backend is spoken outside HAProxy. */
export function hasOrigin({ tls }: BackendModel): boolean {
  return tls !== undefined && tls.names.length > 0
}

/** The unix socket by which HAProxy reaches a pod of such a backend. */
export function originPath(directory: string, { id }: BackendModel, { address, port }: ServerModel): string {
  const hash = createHash('sha256').update(`${id} ${address} ${port}`).digest('hex').slice(0, 16)
  return `${directory}/origin-${hash}.sock`
}

/** All of them by path. */
export function originsOf(
  { backends, authorities, certificates }: GatewayModel,
  serversOf: (backend: BackendModel) => readonly ServerModel[],
  directory: string,
): ReadonlyMap<string, TlsOrigin> {
  return new Map(
    backends.filter(hasOrigin).flatMap((backend) =>
      serversOf(backend).map((server): [string, TlsOrigin] => {
        const { host, names, authority, clientCertificate } = backend.tls!
        const origin: TlsOrigin = {
          server,
          host,
          names,
          alpn: backend.protocol === 'h2c' ? 'h2' : 'http/1.1',
          authority: authorities.find(({ id }) => id === authority)?.pem,
          clientCertificate: certificates.find(({ id }) => id === clientCertificate)?.pem,
        }
        return [originPath(directory, backend, server), origin]
      }),
    ),
  )
}

/** Whether one of the wanted names is in a certificate; a star there stands for one label, a wanted one for any number. */
export function hasWantedName(
  names: BackendTls['names'],
  certificate: { readonly hosts: readonly string[]; readonly uris: readonly string[] },
): boolean {
  return names.some(({ kind, value }) => {
    if (kind === 'uri') return certificate.uris.includes(value)
    return certificate.hosts.some((host) => {
      const name = host.toLowerCase()
      if (name === value) return true
      if (value.startsWith('*.')) return name.endsWith(value.slice(1)) && !name.startsWith('*')
      return name.startsWith('*.') && value.includes('.') && value.slice(value.indexOf('.')) === name.slice(1)
    })
  })
}
