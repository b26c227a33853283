import { createHash } from 'node:crypto'
import type { Service } from '../objects/index.ts'
import type { Gateway } from './gateway-api.ts'

/** By which a Gateway's Service and slices are found (GEP-1762). */
export const gatewayNameLabel = 'gateway.networking.k8s.io/gateway-name'

/** The Service that gives a Gateway its address: `GATEWAY-CLASS`, shortened where a Service could not be called so. */
export function gatewayServiceName({ metadata, spec }: Gateway): string {
  const name = `${metadata.name}-${spec?.gatewayClassName ?? ''}`.replaceAll('.', '-')
  if (name.length <= 63 && /^[a-z]/.test(name)) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  return `gw-${name.slice(0, 50).replace(/-+$/, '')}-${hash}`
}

/** What nodes bind for a port of a Gateway: the target port of its Service; undefined until the controller has made it. */
export function boundPort(service: Service | undefined, port: number, protocol: 'TCP' | 'UDP'): number | undefined {
  const found = service?.spec.ports?.find((one) => one.port === port && (one.protocol ?? 'TCP') === protocol)
  return typeof found?.targetPort === 'number' ? found.targetPort : undefined
}
