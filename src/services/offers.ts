import { type Family, familyOf, findAddress } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { EndpointSlice, Service, ServicePort } from '../objects/index.ts'
import { weightFindings, weightsOf } from './balancing.ts'
import type { Offer } from './choose.ts'
import type { Finding } from './model.ts'

const addressTypes = { 4: 'IPv4', 6: 'IPv6' } as const

/** Only an endpoint's first address is used, as upstream (the API calls the others fungible and unused). */
export function collectOffers(slices: readonly EndpointSlice[], port: ServicePort, family: Family): readonly Offer[] {
  const offers: Offer[] = []
  for (const slice of slices) {
    if (slice.addressType !== addressTypes[family]) continue
    const target = findSlicePort(slice, port)
    if (target === undefined) continue
    const object = sliceObject(slice)
    const weightOf = weightsOf(slice)
    for (const [index, endpoint] of slice.endpoints.entries()) {
      const text = endpoint.addresses[0] ?? ''
      const address = findAddress(text)
      if (address === undefined || familyOf(address) !== family) continue
      const { ready, serving, terminating } = endpoint.conditions ?? {}
      offers.push({
        address,
        port: target,
        node: endpoint.nodeName,
        zone: endpoint.zone,
        ready: ready ?? true,
        serving: serving ?? true,
        terminating: terminating ?? false,
        weight: weightOf(address),
        hints: endpoint.hints,
        because: { object, field: `endpoints[${index}]`, value: text },
      })
    }
  }
  return offers
}

/** The number that a Service port has in a slice: they are matched by name and protocol. */
function findSlicePort(slice: EndpointSlice, port: ServicePort): number | undefined {
  const found = slice.ports?.find(
    (one) => (one.name ?? '') === (port.name ?? '') && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
  )
  return found?.port ?? undefined
}

function sliceObject(slice: EndpointSlice): string {
  return `endpointslice/${keyOf(slice)}`
}

/** What is wrong with a slice. */
export function sliceFindings(slice: EndpointSlice): Finding[] {
  const object = sliceObject(slice)
  if (slice.addressType === 'FQDN') {
    const says = 'addressType FQDN is not served: a packet needs an address'
    return [{ code: 'SliceOfNames', object, field: 'addressType', says, try: 'use a Service of type ExternalName' }]
  }
  const family = slice.addressType === 'IPv6' ? 6 : 4
  // One finding per slice is enough to be found, and bounds what a broken controller can make.
  const at = slice.endpoints.findIndex(({ addresses }) => {
    const address = findAddress(addresses[0] ?? '')
    return address === undefined || familyOf(address) !== family
  })
  const weights = weightFindings(slice, object)
  if (at < 0) return weights
  return [
    ...weights,
    {
      code: 'BrokenEndpointAddress',
      object,
      field: `endpoints[${at}].addresses[0]`,
      says: `"${slice.endpoints[at]?.addresses[0] ?? ''}" is not an ${slice.addressType} address; the endpoint is left out`,
      try: `write an ${slice.addressType} address in canonical form`,
    },
  ]
}

/** A port for which no slice has a number although there are endpoints: most often a name that no container port has. */
export function unmatchedPorts(service: Service, object: string, slices: readonly EndpointSlice[]): Finding[] {
  const filled = slices.filter((slice) => slice.endpoints.length > 0)
  if (filled.length === 0) return []
  return (service.spec.ports ?? []).flatMap((port, index) => {
    if (filled.some((slice) => findSlicePort(slice, port) !== undefined)) return []
    const wanted = `${port.name === undefined || port.name === '' ? 'an unnamed port' : `port "${port.name}"`} of ${port.protocol ?? 'TCP'}`
    return [
      {
        code: 'UnmatchedPort',
        object,
        field: `spec.ports[${index}].targetPort`,
        says: `${wanted} (targetPort ${port.targetPort ?? port.port}) is in none of the ${filled.length} slices that have endpoints`,
        try: 'make targetPort a number, or the name of a container port of the selected pods',
      },
    ]
  })
}
