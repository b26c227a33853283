import type { Address } from '../addr/index.ts'
import { families } from '../addr/index.ts'
import { type Finding, keyOf } from '../cluster/index.ts'
import { asksClusterDns } from '../dns/index.ts'
import { compileService, explainService, type SeenAs } from '../services/index.ts'
import type { Step, Verdict } from './answer.ts'
import { type Asked, contextOf, toQuestion } from './asked.ts'
import type { Destination } from './destination.ts'
import { viewOf } from './entry.ts'
import { policyFindings } from './policy-findings.ts'
import { walk } from './walk.ts'

/** Why the source gets no answer from the cluster's DNS. */
export interface DnsDenial {
  readonly steps: readonly Step[]
  readonly verdict: Verdict
  /** What is wrong with the policies of the DNS pods. */
  readonly findings: readonly Finding[]
}

const dnsKey = 'kube-system/kube-dns'

/**
 * The NetworkPolicy that keeps a pod's questions from the endpoints of Service kube-system/kube-dns (53/udp): without an answer
 * the name of a Service is no address. Undefined when all pass, and for sources that ask another resolver.
 */
export function findDnsDenial(asked: Asked): DnsDenial | undefined {
  const { snapshot, source } = asked
  if (source.pod === undefined || !asksClusterDns(source.pod)) return undefined
  const frontend = findFrontend(asked)
  if (frontend === undefined) return undefined
  const { destination, targets } = frontend
  const ways = targets.map((target) => {
    const end: Destination = { ...destination, address: target.address, port: target.port }
    return { end, ...walk(snapshot, source, end, target.source) }
  })
  // Other reasons why a packet ends are the DNS pods' own trouble, and no policy's.
  const denied = ways.filter(({ verdict, steps }) => verdict.kind === 'deny' && steps.at(-1)?.stage === 'policy')
  const [first] = denied
  if (first === undefined) return undefined
  const part = denied.length === targets.length ? '' : ` at ${denied.length} of ${targets.length} endpoints`
  const question = `its question to service/${dnsKey} (${destination.address} port 53/udp) is denied${part}`
  // A packet that egress stops never comes to a route.
  const side = first.steps.some(({ stage }) => stage === 'route') ? 'ingress' : 'egress'
  const says = `${source.label} cannot resolve names: ${question}: ${first.verdict.says}; ${remedy(asked, first.end, side)}`
  const { because } = first.verdict
  const looked = first.steps.filter(({ stage }) => stage === 'policy').slice(0, -1)
  const pods = targets.flatMap(({ address }) => snapshot.findPod(address) ?? [])
  return {
    steps: [
      ...looked.map((step): Step => ({ ...step, stage: 'name' })),
      { stage: 'name', node: source.node, says, because },
    ],
    verdict: { kind: 'deny', says, because },
    findings: policyFindings(snapshot, pods),
  }
}

interface Frontend {
  readonly destination: Destination
  readonly targets: readonly {
    readonly address: Address
    readonly port: number
    readonly source: SeenAs
  }[]
}

/** The address that the source's resolver asks, in the first family that both have, and where the Service sends the question. */
function findFrontend(asked: Asked): Frontend | undefined {
  const { snapshot, source } = asked
  const service = snapshot.services.get(dnsKey)
  if (service === undefined) return undefined
  const model = compileService(service, snapshot.slicesOf(dnsKey), viewOf(snapshot.nodes.get(source.node)))
  const own = families.filter((family) => source.addresses.some((one) => one.includes(':') === (family === 6)))
  const found = model.frontends.find((one) => one.protocol === 'udp' && one.port === 53 && own.includes(one.family))
  if (found === undefined) return undefined
  const destination: Destination = { address: found.address, port: 53, transport: 'udp' }
  const context = contextOf(asked, found.address, [model])
  const { outcome } = explainService(toQuestion(source, destination), context)
  return outcome.kind === 'balance' ? { destination, targets: outcome.targets } : undefined
}

/** The recipe where it helps: it is for pods of kube-system with the label k8s-app=kube-dns, and for port 53. */
function remedy({ snapshot, source }: Asked, { address, port }: Destination, side: 'egress' | 'ingress'): string {
  const pod = snapshot.findPod(address)
  const who = pod === undefined ? address : `pod/${keyOf(pod)}`
  const isRecipe =
    pod?.metadata.namespace === 'kube-system' && pod.metadata.labels?.['k8s-app'] === 'kube-dns' && port === 53
  if (side === 'ingress') return `allow ${source.label} in an ingress rule for ${who}, port ${port}/udp`
  if (!isRecipe) return `allow ${who}, port ${port}/udp and ${port}/tcp, in an egress rule for ${source.label}`
  return `apply what "plumb policy recipe allow-dns" prints in namespace ${source.pod?.metadata.namespace ?? 'default'}`
}
