import type { Rule } from '../cause.ts'
import { type Examination, on } from '../examination.ts'
import { contradictionOf } from '../owners.ts'
import { findBad } from '../probe.ts'
import { proofOf, serviceOf } from '../words.ts'

/** The address outside: none was given, or nobody answers for it although everything behind it works. */
export const externalAddress: Rule = {
  covers: ['74', '75', '76', '78', '80'],
  judge(examination) {
    const { subject } = examination
    const { spec, status } = subject.service
    const object = serviceOf(subject)
    const { loadBalancerClass } = spec
    if (spec.type === 'LoadBalancer' && (status?.loadBalancer?.ingress ?? []).length === 0) {
      const full = loadBalancerClass === undefined ? fullPool(examination) : undefined
      if (full !== undefined) return [full]
      // The pools' controller has judged the request.
      const refusal = status?.conditions?.find((one) => one.status === 'False' && one.message)
      const ask =
        loadBalancerClass === undefined ? '' : `: is there a controller for loadBalancerClass ${loadBalancerClass}?`
      return [
        {
          confidence: 'certain',
          object,
          field:
            refusal !== undefined || loadBalancerClass === undefined
              ? 'status.loadBalancer.ingress'
              : 'spec.loadBalancerClass',
          value: refusal === undefined ? (loadBalancerClass ?? '') : '',
          says: `nobody has given the Service an external address${refusal === undefined ? ask : `: ${refusal.message}`}`,
          proof: [
            'status.loadBalancer.ingress is empty',
            ...(refusal === undefined ? [] : [`status.conditions: ${refusal.type} is False, ${refusal.reason}`]),
          ],
          twin: 'an address that is given and not announced: there status names it',
          fix: {
            says: 'see whether an address pool has a free address and serves this Service; until then clients can use the node ports',
          },
          rung: 'external',
        },
      ]
    }
    const lost = on(examination, 'external').filter(({ result, answer }) => {
      const bad = findBad(result)
      return answer?.verdict.kind === 'allow' && (bad?.kind === 'silence' || bad?.kind === 'unreachable')
    })
    const inside = on(examination, 'cluster-ip')
    const [first] = lost
    if (first === undefined || inside.some(({ good }) => !good)) return []
    const isExternalIp = (spec.externalIPs ?? []).includes(first.probe.address)
    return [
      {
        confidence: 'likely',
        object,
        field: isExternalIp ? 'spec.externalIPs' : 'status.loadBalancer.ingress',
        value: first.probe.address,
        says: `${first.probe.address} is silent from outside while everything behind it answers: nobody announces it, so no router leads to a node`,
        proof: [
          ...lost.slice(0, 2).map(proofOf),
          ...unanswered(examination, first.probe.address),
          ...inside.slice(0, 1).map(proofOf),
        ],
        twin: 'source ranges or policy Local: the model would say so; a wrong owner: then something answers',
        fix: {
          says: isExternalIp
            ? `route ${first.probe.address} to a node, or use a Service of type LoadBalancer with an address pool that is announced`
            : `announce ${first.probe.address} (L2 or BGP) from a node`,
        },
        rung: 'external',
      },
    ]
  },
}

/** The pool that the Service would get its address of, where every address is taken. */
function fullPool({ snapshot, subject: { service } }: Examination): ReturnType<Rule['judge']>[number] | undefined {
  const annotations = service.metadata.annotations ?? {}
  const asked = Object.keys(annotations).find((key) => key.endsWith('/address-pool'))
  const family = (service.spec.ipFamilies ?? ['IPv4'])[0] ?? 'IPv4'
  const pools = [...snapshot.addressPools.values()].filter(({ metadata, spec }) =>
    asked === undefined ? spec.autoAssign !== false : metadata.name === annotations[asked],
  )
  const [first] = pools
  const free = ({ status }: (typeof pools)[number]): number | undefined =>
    family === 'IPv4' ? status?.availableIPv4 : status?.availableIPv6
  if (first === undefined || pools.some((one) => free(one) !== 0)) return undefined
  const taken = [...snapshot.services].flatMap(([key, other]) =>
    (other.status?.loadBalancer?.ingress ?? []).map(({ ip = '' }) => `service/${key} has ${ip}`),
  )
  const names = pools.map(({ metadata }) => metadata.name).join(', ')
  return {
    confidence: 'certain',
    object: `ipaddresspool/${first.metadata.name}`,
    field: 'spec.addresses',
    value: (first.spec.addresses ?? []).join(', '),
    says: `nobody has given the Service an external address: pool ${names} has no free ${family} address`,
    proof: ['status.loadBalancer.ingress is empty', ...taken.slice(0, 4)],
    twin: 'an address that is given and not announced: there status names it',
    fix: { says: `add addresses to pool ${names}, or let Services that do not need one go without` },
    rung: 'external',
  }
}

/** That nobody on its segment answers for the address, where somebody asked. */
function unanswered({ owners = [] }: Examination, address: string): readonly string[] {
  const mine = owners.find((one) => one.address === address)
  if (mine === undefined || mine.askedFrom.length === 0 || mine.owners.length > 0) return []
  const asked = `nobody answers ARP or NDP for ${address}, asked from ${mine.askedFrom.slice(0, 3).join(', ')}`
  const contradiction = contradictionOf(mine)
  // What contradicts comes first: the one who is to answer is known.
  return contradiction === undefined ? [asked] : [contradiction, asked]
}
