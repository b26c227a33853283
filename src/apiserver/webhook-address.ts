import type { Service, Webhook } from '../objects/index.ts'
import { serviceEndpoint } from './service-endpoint.ts'
import type { Reader } from './store.ts'

/** Where a webhook listens. */
export interface WebhookAddress {
  readonly url: URL
  /** The URL as errors show it. */
  readonly shown: string
  /** Where to connect. */
  readonly host: string
  readonly port: number
  /** The name that its certificate is for. */
  readonly serverName: string
}

/** Where a webhook's client configuration leads; a string tells in upstream's words why nowhere. Of a Service's ready endpoints any is taken. */
export function webhookAddress(
  reader: Reader,
  { clientConfig, timeoutSeconds = 10 }: Webhook,
): WebhookAddress | string {
  const { service } = clientConfig
  if (service === undefined) {
    const url = new URL(clientConfig.url ?? '')
    url.searchParams.set('timeout', `${timeoutSeconds}s`)
    return {
      url,
      shown: url.href,
      host: bare(url.hostname),
      port: Number(url.port || 443),
      serverName: bare(url.hostname),
    }
  }
  const { name, namespace, path = '/', port = 443 } = service
  const serverName = `${name}.${namespace}.svc`
  const url = new URL(path, `https://${serverName}:${port}`)
  url.searchParams.set('timeout', `${timeoutSeconds}s`)
  const shown = `https://${serverName}:${port}${url.pathname}${url.search}`
  const found = serviceAddress(reader, name, namespace, port)
  return typeof found === 'string' ? found : { url, shown, serverName, ...found }
}

function serviceAddress(reader: Reader, name: string, namespace: string, port: number) {
  const service = reader.find('/services', `${namespace}/${name}`)?.value as Service | undefined
  if (service === undefined) return `service ${JSON.stringify(name)} not found`
  const { spec } = service
  if (spec.type === 'ExternalName') return { host: spec.externalName ?? '', port }
  if (!spec.ports?.some((item) => item.port === port))
    return `no service port ${port} found for service ${JSON.stringify(name)}`
  return serviceEndpoint(reader, service, String(port))
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}
