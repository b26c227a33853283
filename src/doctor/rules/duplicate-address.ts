import { keyOf } from '../../cluster/index.ts'
import type { Service } from '../../objects/index.ts'
import type { Rule } from '../cause.ts'
import type { Examination } from '../examination.ts'
import { serviceOf } from '../words.ts'

/** Another Service claims the same address and port: the older one has it. */
export const duplicateAddress: Rule = {
  covers: ['69', '77', '89'],
  judge({ snapshot, subject }) {
    const twins = podsOfOneAddress(snapshot, subject)
    if (twins.length > 0) return twins
    const { service, port } = subject
    const own = addressesOf(service)
    for (const [key, other] of snapshot.services) {
      if (key === keyOf(service)) continue
      const theirs = addressesOf(other)
      const shared = [...own].find(([address]) => theirs.has(address))
      if (shared === undefined) continue
      const [address, field] = shared
      const same = (other.spec.ports ?? []).some(
        (one) => one.port === port.port && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
      )
      const isCluster = field === 'spec.clusterIPs'
      if (!same && !isCluster) continue
      const older = isOlder(other, service) ? other : service
      return [
        {
          confidence: older === other ? 'certain' : 'possible',
          object: serviceOf(subject),
          field,
          value: address,
          says: `service/${key} has ${address} too; the older of both, service/${keyOf(older)}, gets the connections`,
          proof: [`service/${key} ${theirs.get(address)} = ${address}`],
          twin: 'one Service that leads to the wrong pods',
          fix: {
            says: isCluster
              ? 'delete the younger Service and create it again, for another ClusterIP'
              : 'give one of both another address or port',
          },
          rung: isCluster ? 'cluster-ip' : 'external',
        },
      ]
    }
    return []
  },
}

/** Two pods with one address: a node leads it to one of them alone. */
function podsOfOneAddress(
  snapshot: Examination['snapshot'],
  { backends }: Examination['subject'],
): ReturnType<Rule['judge']> {
  return backends.slice(0, 16).flatMap(({ address }) => {
    const pods = [...snapshot.pods.values()].filter(
      ({ spec, status }) =>
        spec.hostNetwork !== true &&
        status?.phase !== 'Succeeded' &&
        status?.phase !== 'Failed' &&
        (status?.podIPs ?? []).some(({ ip }) => ip === address),
    )
    const names = pods.map((pod) => `pod/${keyOf(pod)} on ${pod.spec.nodeName ?? 'no node'}`).sort()
    const [first] = pods.map(keyOf).sort()
    if (first === undefined || pods.length < 2) return []
    return [
      {
        confidence: 'certain' as const,
        object: `pod/${first}`,
        field: 'status.podIPs',
        value: address,
        says: `${names.join(' and ')} both have the address ${address}: connections to one come to the other`,
        proof: names,
        twin: 'a selector that takes pods of another application: those have addresses of their own',
        fix: {
          says: 'delete the pod whose node has forgotten it, and see why addresses are given out twice (two IPAMs with one range, a node restored from a copy)',
        },
        rung: 'own-node' as const,
      },
    ]
  })
}

function addressesOf({ spec, status }: Service): ReadonlyMap<string, string> {
  const all = new Map<string, string>()
  for (const one of status?.loadBalancer?.ingress ?? [])
    if (one.ip !== undefined) all.set(one.ip, 'status.loadBalancer.ingress')
  for (const one of spec.externalIPs ?? []) all.set(one, 'spec.externalIPs')
  for (const one of spec.clusterIPs ?? []) if (one !== 'None' && one !== '') all.set(one, 'spec.clusterIPs')
  return all
}

function isOlder(a: Service, b: Service): boolean {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  return x < y || (x === y && keyOf(a) < keyOf(b))
}
