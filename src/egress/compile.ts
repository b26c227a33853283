import { type Address, findAddress, findPrefix, type Prefix } from '../addr/index.ts'
import { type Finding, keyOf } from '../cluster/index.ts'
import type { Egress } from '../objects/index.ts'
import type { Bandwidth, EgressAddress, EgressModel, PortPlan } from './model.ts'
import { readShape } from './shape.ts'

/** Ports that one node has of an address unless the Egress says. */
const defaultPerNode = 1024
const smallestPerNode = 64
const largestPerNode = 32768

/**
 * What an Egress means. Total: what cannot be read becomes a finding, and never lets a packet out under an address that the author
 * did not mean.
 */
export function compileEgress(egress: Egress): EgressModel {
  const key = keyOf(egress)
  const object = `egress/${key}`
  const findings: Finding[] = []
  const spec = readShape(object, egress, findings)
  const destinations = readPrefixes(object, 'destinationCIDRs', spec.destinationCIDRs, findings)
  const { podSelector, namespaceSelector } = spec.appliedTo ?? {}
  return {
    key,
    object,
    created: egress.metadata.creationTimestamp ?? '',
    selects: { pods: podSelector, namespaces: namespaceSelector },
    addresses: readAddresses(object, spec, egress.status?.egressIPs, findings),
    holders: spec.nodeSelector,
    scope: {
      // Of destinations none of which can be read, all are meant rather than none: none would let packets out under the node's address.
      destinations: destinations.length === 0 ? undefined : destinations,
      excluded: readPrefixes(object, 'excludedCIDRs', spec.excludedCIDRs, findings),
    },
    ports: readPorts(object, spec.ports, findings),
    bandwidth: readBandwidth(object, spec.bandwidth, findings),
    onUnavailable: spec.onUnavailable === 'Node' ? 'Node' : 'Drop',
    findings,
  }
}

/** Those of the spec, or those that the controllers took from its pools. */
function readAddresses(object: string, spec: Egress['spec'], allocated: unknown, findings: Finding[]): EgressAddress[] {
  const fixed = spec.egressIPs ?? (spec?.egressIP === undefined ? undefined : [spec.egressIP])
  const field =
    fixed === undefined ? 'status.egressIPs' : spec.egressIPs === undefined ? 'spec.egressIP' : 'spec.egressIPs'
  const found = new Map<Address, EgressAddress>()
  const texts = fixed ?? (Array.isArray(allocated) ? allocated.filter((one) => typeof one === 'string') : [])
  for (const [index, text] of texts.entries()) {
    const address = findAddress(text)
    const at = field === 'spec.egressIP' ? field : `${field}[${index}]`
    if (address !== undefined) {
      if (!found.has(address)) found.set(address, { address, because: { object, field: at, value: text } })
      continue
    }
    findings.push({
      code: 'InvalidEgressIP',
      object,
      field: at,
      says: `"${text}" is not an IP address`,
      try: 'write it as 203.0.113.7 or 2001:db8::7',
    })
  }
  return [...found.values()]
}

function readPrefixes(
  object: string,
  name: string,
  texts: readonly string[] | undefined,
  findings: Finding[],
): Prefix[] {
  return (texts ?? []).flatMap((text, index) => {
    const prefix = findPrefix(text, true)
    if (prefix !== undefined) return [prefix]
    findings.push({
      code: 'InvalidPrefix',
      object,
      field: `spec.${name}[${index}]`,
      says: `"${text}" is not an IP prefix, and is passed over`,
      try: 'write it as 192.0.2.0/24 or 2001:db8::/32',
    })
    return []
  })
}

function readPorts(object: string, ports: Egress['spec']['ports'], findings: Finding[]): PortPlan {
  const perNode = within(ports?.perNode ?? defaultPerNode, smallestPerNode, largestPerNode)
  const perPod = ports?.perPod === undefined ? undefined : within(ports.perPod, 1, perNode)
  if ((ports?.perNode ?? perNode) === perNode && ports?.perPod === perPod) return { perNode, perPod }
  findings.push({
    code: 'InvalidPorts',
    object,
    field: 'spec.ports',
    says: `perNode ${ports?.perNode ?? defaultPerNode}, perPod ${ports?.perPod ?? 'shared'}: taken as ${perNode} and ${perPod ?? 'shared'}`,
    try: `give a perNode of ${smallestPerNode} to ${largestPerNode}, and a perPod that does not exceed it`,
  })
  return { perNode, perPod }
}

function within(value: number, low: number, high: number): number {
  return Number.isInteger(value) ? Math.min(Math.max(value, low), high) : low
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

function readBandwidth(
  object: string,
  bandwidth: Egress['spec']['bandwidth'],
  findings: Finding[],
): Bandwidth | undefined {
  if (bandwidth === undefined) return undefined
  const rate = readBits(bandwidth.rate)
  // A burst of a tenth of a second, and of no less than a few full packets.
  const burst = bandwidth.burst === undefined ? Math.max((rate ?? 0) / 10, 120_000) : readBits(bandwidth.burst)
  if (rate !== undefined && burst !== undefined && rate >= 8) {
    return { rate: Math.floor(rate / 8), burst: Math.min(Math.max(Math.floor(burst / 8), 1500), 2 ** 31) }
  }
  findings.push({
    code: 'InvalidBandwidth',
    object,
    field: 'spec.bandwidth',
    says: `rate "${bandwidth.rate}", burst "${bandwidth.burst ?? ''}" are not numbers of bits; nothing is limited`,
    try: 'write them as 800k, 500M or 1G',
  })
  return undefined
}

function readBits(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(text)
  return match === null ? undefined : Number(match[1]) * (units[match[2] ?? ''] ?? Number.NaN)
}
