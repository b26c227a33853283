import { gatewayNameLabel } from '../gateways/index.ts'
import type { Service } from '../objects/index.ts'
import type { State } from './source.ts'

/** The Gateway whose address a Service is, as the box that stands for both. */
export function gatewayOf({ metadata }: Service): string | undefined {
  const name = metadata.labels?.[gatewayNameLabel]
  return name === undefined ? undefined : `gateway/${metadata.namespace}/${name}`
}

/** The workload of a pod: `deployment/shop/web`. */
export function workloadIn({ workloadOf }: State, pod: string): string {
  return workloadOf.get(pod) ?? `pod/${pod}`
}

/** The box of an object as objects are named elsewhere, `service/shop/web`; a Gateway's Service is the Gateway. */
export function boxOf({ snapshot }: State, object: string): string {
  const [kind = '', ...key] = object.split('/')
  const service = kind === 'service' ? snapshot.services.get(key.join('/')) : undefined
  return (service && gatewayOf(service)) ?? object
}
