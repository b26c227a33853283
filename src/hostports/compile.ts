import { type Address, familyOf, findAddress } from '../addr/index.ts'
import { type Finding, keyOf } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import type { HostPort, PodHostPorts } from './model.ts'

const anyAddress = new Set(['', '0.0.0.0', '::'])

/**
 * The host ports of a pod with addresses of its own; none of one in its node's network, which listens there itself, and of one that has
 * ended. Total: a `hostIP` that is no address becomes a finding.
 */
export function compileHostPorts(pod: Pod): PodHostPorts {
  const key = keyOf(pod)
  const { metadata, spec, status } = pod
  const none = { pod: key, created: metadata.creationTimestamp ?? '', ports: [], findings: [] }
  if (spec.hostNetwork === true || status?.phase === 'Succeeded' || status?.phase === 'Failed') return none
  const addresses = (status?.podIPs ?? []).flatMap(({ ip }) => findAddress(ip ?? '') ?? [])
  const findings: Finding[] = []
  const ports = (spec.containers ?? []).flatMap((container, index) =>
    (container.ports ?? []).flatMap((declared, place): HostPort[] => {
      const { hostPort = 0, hostIP = '', containerPort, protocol = 'TCP' } = declared
      if (hostPort === 0) return []
      const field = `spec.containers[${index}].ports[${place}]`
      const address = anyAddress.has(hostIP) ? undefined : findAddress(hostIP)
      if (address === undefined && !anyAddress.has(hostIP)) {
        findings.push(badAddress(key, `${field}.hostIP`, hostIP))
        return []
      }
      const because = { object: `pod/${key}`, field: `${field}.hostPort`, value: String(hostPort) }
      return addresses
        .filter((target) => serves(hostIP, address, target))
        .map((target) => ({
          pod: key,
          family: familyOf(target),
          address,
          protocol: protocol.toLowerCase() as HostPort['protocol'],
          port: hostPort,
          target,
          targetPort: containerPort,
          because,
        }))
    }),
  )
  return { ...none, ports, findings }
}

/** `0.0.0.0` stands for the addresses of IPv4 and `::` for those of IPv6; nothing at all for both. */
function serves(hostIP: string, address: Address | undefined, target: Address): boolean {
  if (hostIP === '') return true
  return familyOf(target) === (address === undefined ? (hostIP === '::' ? 6 : 4) : familyOf(address))
}

function badAddress(pod: string, field: string, value: string): Finding {
  return {
    code: 'HostIPInvalid',
    object: `pod/${pod}`,
    field,
    says: `"${value}" is not an IP address: the port does not answer`,
    try: 'write an address of the node, or leave hostIP out',
  }
}
