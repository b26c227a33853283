import type { Address } from '../addr/index.ts'
import type { Answer, Observation, Observed, Step, Transport } from './answer.ts'

/** What a node's kernel answered to an `Observation` of the same kind. */
export type Evidence =
  | { readonly kind: 'route'; readonly gateway?: Address; readonly link?: string; readonly routeKind?: string }
  | { readonly kind: 'neighbour'; readonly state?: string; readonly mac?: string; readonly link?: string }
  | {
      readonly kind: 'frontend'
      readonly endpoints: readonly { readonly address: Address; readonly port: number }[]
      readonly action: 'balance' | 'reject' | 'drop' | 'absent'
      /** Whose rules they are, where they are not Plumb's: `kube-proxy’s iptables rules`. */
      readonly holder?: string
      /** A rule of somebody else that ends the packet on this node, where it was led on or not. */
      readonly stoppedBy?: string
    }
  | {
      readonly kind: 'listener'
      readonly ports: readonly { readonly transport: Transport; readonly port: number; readonly address: Address }[]
    }
  | { readonly kind: 'conntrack'; readonly entries: readonly Entry[] }
  | { readonly kind: 'policy'; readonly verdict?: string }
  /** HAProxy's word on one server of a backend: its status by `show stat`, absent where it has no such server. */
  | { readonly kind: 'server'; readonly status?: string; readonly requests?: number; readonly errors?: number }
  | { readonly kind: 'unseen'; readonly says: string }

/** One conntrack entry of a client that asked for an address and port. */
export interface Entry {
  readonly client: { readonly address: Address; readonly port: number }
  /** Who answers. */
  readonly endpoint: { readonly address: Address; readonly port: number }
  /** Whom the endpoint sees. */
  readonly seen: Address
  /** `ESTABLISHED` and the like, TCP alone. */
  readonly state?: string
  readonly timeoutSeconds?: number
  /** Its packets go by the fast path, past every hook; so policies and their logs do not see them. */
  readonly offloaded?: boolean
}

/** The answer with each step held against what the kernel said; disagreements turn an `allow` into a `deny`. */
export function confirm(answer: Answer, evidence: ReadonlyMap<Observation, Evidence>): Answer {
  const steps = answer.steps.map((step) => confirmStep(step, evidence))
  const branches = answer.branches.map((one) => ({
    ...one,
    steps: one.steps.map((step) => confirmStep(step, evidence)),
  }))
  const wrong = [...steps, ...branches.flatMap((one) => one.steps)].filter(
    (step) => step.observed?.kind === 'disagrees',
  )
  const [first] = wrong
  if (first === undefined || answer.verdict.kind !== 'allow') return { ...answer, steps, branches }
  const says = `the model says it works, the kernel disagrees: ${first.observed?.says}`
  return {
    ...answer,
    steps,
    branches,
    verdict: { kind: 'deny', says, because: first.because ?? answer.verdict.because },
  }
}

/** Every question that the answer has for the nodes. */
export function observationsOf(answer: Answer): Observation[] {
  return [...answer.steps, ...answer.branches.flatMap((one) => one.steps)].flatMap((step) => step.observation ?? [])
}

function confirmStep(step: Step, evidence: ReadonlyMap<Observation, Evidence>): Step {
  if (step.observation === undefined) return step
  const found = evidence.get(step.observation)
  return {
    ...step,
    observed: found === undefined ? { kind: 'unseen', says: 'nobody was asked' } : judge(step.observation, found),
  }
}

function judge(observation: Observation, found: Evidence): Observed {
  if (found.kind === 'unseen') return { kind: 'unseen', says: found.says }
  switch (observation.kind) {
    case 'route': {
      if (found.kind !== 'route') return mismatch(observation, found)
      const { gateway, link } = observation.expect
      const says = renderRoute(found)
      const wrong = (gateway !== undefined && found.gateway !== gateway) || (link !== undefined && found.link !== link)
      return { kind: wrong || found.routeKind === 'unreachable' ? 'disagrees' : 'agrees', says: `kernel: ${says}` }
    }
    case 'neighbour': {
      if (found.kind !== 'neighbour') return mismatch(observation, found)
      if (found.state === undefined)
        return { kind: 'unseen', says: 'kernel: no neighbour entry yet; the first packet makes one' }
      const says = `kernel: ${found.mac ?? 'no address'} ${found.state}${found.link === undefined ? '' : ` on ${found.link}`}`
      return { kind: found.state === 'failed' ? 'disagrees' : 'agrees', says }
    }
    case 'frontend':
      return found.kind === 'frontend' ? judgeFrontend(observation.expect, found) : mismatch(observation, found)
    case 'conntrack':
      return found.kind === 'conntrack' ? judgeEntries(observation, found.entries) : mismatch(observation, found)
    case 'policy':
      return found.kind === 'policy' ? judgePolicy(observation, found.verdict) : mismatch(observation, found)
    case 'server':
      return found.kind === 'server' ? judgeServer(observation, found) : mismatch(observation, found)
    case 'listener': {
      if (found.kind !== 'listener') return mismatch(observation, found)
      const socket = found.ports.find((one) => one.port === observation.port && one.transport === observation.transport)
      if (socket !== undefined)
        return { kind: 'agrees', says: `kernel: a socket listens on ${socket.address}:${socket.port}` }
      const other = [...new Set(found.ports.map((one) => `${one.port}/${one.transport}`))].slice(0, 8).join(', ')
      return {
        kind: 'disagrees',
        says: `nothing listens on ${observation.port}/${observation.transport} in pod/${observation.pod.namespace}/${observation.pod.name}${other === '' ? '' : `; it listens on ${other}`}`,
      }
    }
    default:
      return observation satisfies never
  }
}

function judgeFrontend(
  expect: readonly { address: Address; port: number }[],
  found: Extract<Evidence, { kind: 'frontend' }>,
): Observed {
  const { holder } = found
  if (found.stoppedBy !== undefined)
    return { kind: 'disagrees', says: `a rule of the node’s ends it: ${found.stoppedBy}` }
  if (found.action === 'absent' && (holder === undefined || expect.length > 0)) {
    const says = holder === undefined ? 'the kernel’s map service-class has' : `${holder} have`
    return { kind: 'disagrees', says: `${says} no such entry` }
  }
  const render = (one: { address: Address; port: number }) => `${one.address}:${one.port}`
  const wanted = new Set(expect.map(render))
  const held = new Set(found.endpoints.map(render))
  const missing = [...wanted].filter((one) => !held.has(one))
  const extra = [...held].filter((one) => !wanted.has(one))
  if (missing.length === 0 && extra.length === 0) {
    return {
      kind: 'agrees',
      says: `kernel: ${found.action === 'balance' ? `${held.size} endpoints in ${holder ?? 'the maps'}` : found.action}`,
    }
  }
  const parts = [
    missing.length > 0 ? `lack ${missing.slice(0, 4).join(', ')}` : '',
    extra.length > 0 ? `hold ${extra.slice(0, 4).join(', ')} beyond the model` : '',
  ]
  return {
    kind: 'disagrees',
    says: `${holder ?? 'the kernel’s maps'} ${parts.filter((part) => part !== '').join(' and ')}`,
  }
}

function judgePolicy(
  { direction, expect }: Extract<Observation, { kind: 'policy' }>,
  held: string | undefined,
): Observed {
  const chain = expect.replace(/^goto /, '')
  if (held === expect) return { kind: 'agrees', says: `kernel: ${direction} goes to ${chain}, named by these policies` }
  if (held === undefined)
    return { kind: 'disagrees', says: `the kernel does not know the pod: its ${direction} is dropped` }
  return { kind: 'disagrees', says: `the kernel’s ${direction} is ${held}, and these policies make ${expect}` }
}

/** Connections that are alive were made by the rules of their time, so none of them contradicts what a new one would meet. */
function judgeEntries(
  { asked, endpoint, seenAs }: Extract<Observation, { kind: 'conntrack' }>,
  entries: readonly Entry[],
): Observed {
  const mine = entries.filter((one) => one.endpoint.address === endpoint.address && one.endpoint.port === endpoint.port)
  const [first] = mine
  if (first === undefined) {
    const others = entries.length === 0 ? '' : `; ${entries.length} of this client lead to other endpoints`
    return { kind: 'unseen', says: `kernel: no entry yet${others}; the first packet makes one` }
  }
  const { client, seen, state, timeoutSeconds, offloaded = false } = first
  const facts = [
    `${client.address}:${client.port} is answered by ${endpoint.address}:${endpoint.port}`,
    seen === client.address ? 'under its own address' : `as ${seen}`,
    ...(state === undefined ? [] : [state]),
    ...(timeoutSeconds === undefined || offloaded ? [] : [`${timeoutSeconds} s left`]),
    ...(offloaded ? ['offloaded: its packets go by the fast path, past every hook'] : []),
  ]
  const more = mine.length === 1 ? '' : `, and ${mine.length - 1} more`
  const own = seen === client.address
  const isExpected = { kept: own, masqueraded: !own, external: seen === asked.address }[seenAs]
  const older = isExpected ? '' : '; a new one would be seen otherwise'
  return { kind: 'agrees', says: `kernel: ${facts.join(', ')}${more}${older}` }
}

function renderRoute({ gateway, link, routeKind }: Extract<Evidence, { kind: 'route' }>): string {
  return [
    routeKind !== undefined && routeKind !== 'unicast' ? routeKind : '',
    gateway === undefined ? '' : `via ${gateway}`,
    link === undefined ? '' : `dev ${link}`,
  ]
    .filter((part) => part !== '')
    .join(' ')
}

function mismatch(observation: Observation, found: Evidence): Observed {
  return { kind: 'unseen', says: `asked for ${observation.kind}, got ${found.kind}` }
}

function judgeServer(
  { backend, address, port }: Extract<Observation, { kind: 'server' }>,
  { status, requests = 0, errors = 0 }: Extract<Evidence, { kind: 'server' }>,
): Observed {
  const shown = `${address.includes(':') ? `[${address}]` : address}:${port}`
  if (status === undefined) return { kind: 'disagrees', says: `HAProxy has no server ${shown} in backend ${backend}` }
  const failed = errors === 0 ? '' : `, ${errors} of them could not be sent`
  const says = `HAProxy: ${shown} is ${status}, ${requests} requests so far${failed}`
  // Without health checks a server is up until it is put into maintenance.
  return { kind: /^(UP|no check|OPEN)/.test(status) ? 'agrees' : 'disagrees', says }
}
