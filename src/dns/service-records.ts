import { type Address, findAddress } from '../addr/index.ts'
import { keyOf, type ObjectKey } from '../cluster/index.ts'
import type { EndpointPort, EndpointSlice, Service } from '../objects/index.ts'

/** A ready endpoint under the name that it has in DNS. */
export interface EndpointRecord {
  readonly address: Address
  /** Lower-case label: the endpoint's hostname, or its address with dashes. */
  readonly label: string
  /** Whether the label is a hostname that somebody gave. */
  readonly named: boolean
  readonly ports: readonly EndpointPort[]
  readonly slice: ObjectKey
}

/** What DNS knows of one Service. */
export interface ServiceRecords {
  readonly key: ObjectKey
  readonly kind: 'cluster' | 'headless' | 'external'
  /** ClusterIPs; empty for the other kinds and while none is allocated. */
  readonly addresses: readonly Address[]
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
  /** The target of an ExternalName Service, without trailing dot; undefined when it is an address or no name. */
  readonly externalName: string | undefined
}

/** The ready endpoints of one Service. */
export interface EndpointRecords {
  readonly all: readonly EndpointRecord[]
  readonly byLabel: ReadonlyMap<string, readonly EndpointRecord[]>
}

const recordsBySlice = new WeakMap<EndpointSlice, readonly EndpointRecord[]>()

/**
 * The ready endpoints of a slice; read once per version of the slice. A missing condition counts as ready (discovery/v1); unready
 * addresses that a Service publishes are ready in its slices.
 */
export function sliceRecords(slice: EndpointSlice): readonly EndpointRecord[] {
  const known = recordsBySlice.get(slice)
  if (known !== undefined) return known
  const records =
    slice.addressType === 'FQDN'
      ? []
      : slice.endpoints.flatMap((endpoint): EndpointRecord[] => {
          if (endpoint.conditions?.ready === false) return []
          const hostname = (endpoint.hostname?.length ?? 0) < 64 ? endpoint.hostname?.toLowerCase() : undefined
          return endpoint.addresses.flatMap((text): EndpointRecord[] => {
            const address = findAddress(text)
            if (address === undefined) return []
            const label = hostname || addressLabel(address)
            return [{ address, label, named: Boolean(hostname), ports: slice.ports ?? [], slice: keyOf(slice) }]
          })
        })
  recordsBySlice.set(slice, records)
  return records
}

/** The label of an address: `10-244-1-5`, `fd00-244--5`. */
export function addressLabel(address: Address): string {
  return address.replace(/[.:]/g, '-')
}

/** The address that such a label spells. */
export function findLabelAddress(label: string): Address | undefined {
  return findAddress(label.replaceAll('-', '.')) ?? findAddress(label.replaceAll('-', ':'))
}

/** What DNS knows of a Service itself. */
export function compileServiceRecords(service: Service): ServiceRecords {
  const { spec } = service
  const key = keyOf(service)
  const ports = (spec.ports ?? []).map(({ name, protocol, port }) => ({
    name: (name ?? '').toLowerCase(),
    protocol: (protocol ?? 'TCP').toLowerCase(),
    port,
  }))
  if (spec.type === 'ExternalName')
    return { key, kind: 'external', addresses: [], ports, externalName: findExternalName(spec.externalName) }
  const kind = spec.clusterIP === 'None' ? 'headless' : 'cluster'
  const texts = kind === 'headless' ? [] : (spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []))
  const addresses = texts.flatMap((text) => findAddress(text) ?? [])
  return { key, kind, addresses, ports, externalName: undefined }
}

/** The ready endpoints of a Service's slices, in their order. */
export function compileEndpointRecords(slices: readonly EndpointSlice[]): EndpointRecords {
  const all = slices.flatMap(sliceRecords)
  const byLabel = new Map<string, EndpointRecord[]>()
  for (const record of all) {
    const others = byLabel.get(record.label)
    if (others === undefined) byLabel.set(record.label, [record])
    else others.push(record)
  }
  return { all, byLabel }
}

function findExternalName(text: string | undefined): string | undefined {
  const name = (text ?? '').replace(/\.$/, '')
  if (name === '' || findAddress(name) !== undefined || name.length > 253) return undefined
  return name.split('.').every((label) => label.length > 0 && label.length < 64) ? name : undefined
}
