import { type Address, findAddress } from '../addr/index.ts'
import type { Answer, Branch, Step } from './answer.ts'
import type { Followed, Probed, Sighting } from './sighting.ts'

/** Where the packets of an answer's question go: the address and port that the client uses. Undefined where the way ends before that. */
export function destinationOf({
  question,
  steps,
  branches,
}: Answer): { readonly address: Address; readonly port: number } | undefined {
  for (const { observation } of steps) {
    if (observation?.kind === 'frontend') return { address: observation.address, port: observation.port }
  }
  const [first] = branches
  if (first !== undefined) return { address: first.endpoint.address, port: first.endpoint.port }
  const { to, transport } = question
  const port = transport === 'icmp' ? 0 : question.port
  if (to.kind === 'address') return typeof port === 'number' ? { address: to.address, port } : undefined
  // Refused at a Service's own address.
  const asked = steps.find(({ stage, because }) => stage === 'service' && because?.field.startsWith('spec.clusterIPs'))
  const own = findAddress(asked?.because?.value ?? '')
  if (own !== undefined && typeof port === 'number') return { address: own, port }
  const route = steps.find(({ observation }) => observation?.kind === 'route')?.observation
  const socket = steps.find(({ observation }) => observation?.kind === 'listener')?.observation
  if (route?.kind !== 'route') return undefined
  const number = socket?.kind === 'listener' ? socket.port : port
  return typeof number === 'number' ? { address: route.destination, port: number } : undefined
}

/** The places that the packet passes by the model: the sender, the nodes, the pod. */
export function placesOnWay(answer: Answer, from: string, branch: Branch | undefined): readonly string[] {
  const nodes = [...answer.steps, ...(branch?.steps ?? [])].flatMap(({ node, stage }: Step) =>
    node === undefined || stage === 'reply' ? [] : [`node/${node}`],
  )
  const target = branch?.endpoint.pod ?? targetPod(answer.steps)
  return [...new Set([from, ...nodes, ...(target === undefined ? [] : [`pod/${target}`])])]
}

function targetPod(steps: readonly Step[]): string | undefined {
  const object = steps.find(({ stage }) => stage === 'socket')?.because?.object
  return object?.startsWith('pod/') ? object.slice('pod/'.length) : undefined
}

/** The answer with what a followed packet proves; where the wire disagrees with an `allow` it becomes a `deny`. */
export function withProbe(answer: Answer, followed: Followed): Answer {
  const probed = judgeFollowed(answer, followed)
  if (probed.kind !== 'disagrees' || answer.verdict.kind === 'deny') return { ...answer, probed }
  const says = `the model says it works, the wire disagrees: ${probed.says}`
  return { ...answer, probed, verdict: { ...answer.verdict, kind: 'deny', says } }
}

function judgeFollowed(answer: Answer, followed: Followed): Probed {
  const { sightings, from, outcome, connected, blind } = followed
  const requests = sightings.filter(({ way }) => way === 'request')
  const branch =
    answer.branches.find(({ endpoint }) =>
      requests.some((one) => one.destination === endpoint.address && one.destinationPort === endpoint.port),
    ) ?? (answer.branches.length === 1 ? answer.branches[0] : undefined)
  const expected = placesOnWay(answer, from, branch)
  const others = [...new Set(sightings.map(({ place }) => place))].filter((place) => !expected.includes(place))
  const hops = [...expected, ...others].map((place) => ({
    place,
    expected: expected.includes(place),
    sightings: sightings.filter((one) => one.place === place),
  }))
  const wanted = answer.verdict.kind === 'allow'
  const kind = connected === wanted || answer.verdict.kind === 'pass' ? 'agrees' : 'disagrees'
  if (connected) {
    const way = expected.length > 1 ? ` by ${expected.slice(1).join(', ')}` : ''
    const says = wanted
      ? `it arrived${way}, and the answer came back`
      : `the packet got through${way}, although the model denies it`
    return { kind, says, hops }
  }
  const seen = expected.filter((place) => requests.some((one) => one.place === place))
  const says = whereLost(
    expected.filter((place) => !blind.includes(place)),
    seen,
    sightings,
    outcome,
  )
  return { kind, says, hops }
}

/** The one sentence that a negative proves. */
function whereLost(
  expected: readonly string[],
  seen: readonly string[],
  sightings: readonly Sighting[],
  outcome: string,
): string {
  const refusal = [...sightings].filter(
    ({ packet }) => packet === 'RST' || packet === 'ABORT' || packet.startsWith('ICMP'),
  )
  const last = seen.at(-1)
  if (last === undefined) return `no packet left ${expected[0]}: ${outcome}`
  // Whoever refuses is the place nearest to the target that has seen the refusal.
  const refuser = expected.findLast((place) => refusal.some((one) => one.place === place))
  if (refuser !== undefined) {
    const one = refusal.find(({ place }) => place === refuser)!
    return `it came as far as ${last} and was refused there: ${one.packet} from ${one.source}`
  }
  const request = sightings.findLast(({ place, way }) => place === last && way === 'request')!
  const as = `${text(request.source, request.sourcePort)} → ${text(request.destination, request.destinationPort)}`
  const next = expected[expected.indexOf(last) + 1]
  if (next !== undefined) {
    // What forwards takes one off the TTL: seen once, it came in and did not go out.
    const ttls = new Set(
      sightings.filter(({ place, way }) => place === last && way === 'request').map(({ ttl }) => ttl),
    )
    const inside = last !== expected[0] && ttls.size === 1
    return inside
      ? `it came into ${last} as ${as} and did not leave it for ${next}`
      : `it left ${last} as ${as} and never reached ${next}`
  }
  const back = [...expected]
    .reverse()
    .filter((place) => sightings.some((one) => one.place === place && one.way === 'answer'))
    .at(-1)
  if (back === undefined) return `it arrived at ${last} as ${as}, and nothing answered`
  return back === expected[0]
    ? `the answer came back, and yet: ${outcome}`
    : `it arrived at ${last}; the answer came back as far as ${back} and never reached ${expected[expected.indexOf(back) - 1]}`
}

/** An echo has an identifier, which is no port. */
function hasNoPorts(packet: string): boolean {
  return packet.startsWith('ICMP') || packet.startsWith('echo')
}

function text(address: string, port: number): string {
  if (port === 0) return address
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** What was probed, as lines of text. */
export function renderProbed({ kind, says, hops }: Probed): readonly string[] {
  const signs = { agrees: '✓', disagrees: '✗', unseen: '·' } as const
  const lines = ['Probed: one real packet, followed from place to place', `  ${signs[kind]} ${says}`]
  for (const { place, expected, sightings } of hops) {
    const head = `  ${sightings.length === 0 ? '·' : '✓'} ${place}${expected ? '' : ' (not on the model’s way)'}`
    lines.push(sightings.length === 0 ? `${head}: nothing was seen` : head)
    for (const { way, packet, source, sourcePort, destination, destinationPort, ttl } of sightings) {
      const ports = hasNoPorts(packet)
        ? `${source} → ${destination}`
        : `${text(source, sourcePort)} → ${text(destination, destinationPort)}`
      lines.push(`      ${way === 'request' ? '→' : '←'} ${packet.padEnd(8)} ${ports}, ttl ${ttl}`)
    }
  }
  return lines
}
