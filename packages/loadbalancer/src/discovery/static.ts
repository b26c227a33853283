import { addressOf, type Discovery, type ServiceInstance } from '../instance.ts'

/** An instance by its parts, `host:port`, or a URL. */
export type StaticInstance = string | (Partial<ServiceInstance> & { readonly host: string; readonly port: number })

/** A fixed list, which may be replaced. */
export interface StaticDiscovery extends Discovery {
  set(instances: readonly StaticInstance[]): void
}

/** Instances from a list. Throws for an entry without a port. */
export function staticList(serviceId: string, instances: readonly StaticInstance[]): StaticDiscovery {
  let current = instances.map((one) => parseInstance(serviceId, one))
  const listeners = new Set<(list: { instances: readonly ServiceInstance[] }) => void>()
  return {
    source: 'a static list',
    subscribe(listener) {
      listeners.add(listener)
      listener({ instances: current })
      return () => listeners.delete(listener)
    },
    set(next) {
      current = next.map((one) => parseInstance(serviceId, one))
      for (const listener of [...listeners]) listener({ instances: current })
    },
  }
}

function parseInstance(serviceId: string, given: StaticInstance): ServiceInstance {
  if (typeof given !== 'string') return { instanceId: addressOf(given), serviceId, ...given }
  const url = URL.canParse(given) && given.includes('://') ? new URL(given) : findUrl(`http://${given}`)
  const secure = url?.protocol === 'https:'
  const isUrl = given.includes('://')
  const port = Number(url?.port || (isUrl ? (secure ? 443 : 80) : hasPort(given) ? 80 : 0))
  if (url === undefined || port === 0)
    throw new Error(`${serviceId}: "${given}" is no instance; write it as host:port or http://host:port`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { instanceId: addressOf({ host, port }), serviceId, host, port, secure }
}

/** `http:` URLs drop :80. */
function hasPort(text: string): boolean {
  return /:80$/.test(text)
}

function findUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}
