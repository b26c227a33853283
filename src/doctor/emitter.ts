import { type ControlResult, controlNames, isControlGood } from './control.ts'
import type { Tested } from './examination.ts'
import type { HttpAnswer } from './probe.ts'
import { renderPlace } from './probe.ts'
import { addressText } from './words.ts'

/** Who made an error that a client saw, and by which evidence. */
export interface Emitter {
  readonly status: number
  readonly who: 'backend' | 'gateway' | 'unknown'
  readonly says: string
  readonly proof: readonly string[]
}

/** Names the maker of the first 5xx that came through the gateway or the Service; undefined where none came. */
export function findEmitter(tested: readonly Tested[], controls: readonly ControlResult[]): Emitter | undefined {
  const through = tested.flatMap((one) =>
    ['gateway', 'external', 'node-port', 'cluster-ip'].includes(one.probe.rung) ? failures(one) : [],
  )
  const direct = tested.flatMap((one) =>
    ['loopback', 'pod', 'own-node', 'client-pod'].includes(one.probe.rung) ? failures(one) : [],
  )
  const first = through.find(({ one }) => one.probe.rung === 'gateway') ?? through[0]
  if (first === undefined) return undefined
  const { http, one } = first
  const where = `${renderPlace(one.probe.from)} → ${addressText(one.probe)} said ${http.status}`
  const control = controls.flatMap(({ tries, plan }) =>
    tries.filter(({ status }) => status >= 500).map((tried) => ({ tried, plan })),
  )
  const same = direct.find((other) => other.http.status === http.status)
  const header = readHeader(http)
  const proof = [
    `${where}${header.says}`,
    ...(same === undefined
      ? []
      : [
          `${renderPlace(same.one.probe.from)} → ${addressText(same.one.probe)} said ${http.status} with nothing in between`,
        ]),
    ...controls
      .filter((one) => one.unseen === undefined)
      .slice(0, 2)
      .map((one) => `the control (${describe(one)})`),
  ]
  const viaGateway = one.probe.rung === 'gateway'
  if (
    header.by === 'gateway' ||
    (viaGateway && header.by === undefined && same === undefined && direct.length === 0 && controls.some(isControlGood))
  ) {
    const agrees = control.some(({ tried }) => !tried.own)
    const blame = agrees
      ? ', and a proxy apart from it fails at the same backends alike: they are to blame'
      : controls.some(isControlGood)
        ? ', and a proxy apart from it is served by the same backends: the gateway is to blame'
        : ''
    return {
      status: http.status,
      who: 'gateway',
      says: `the ${http.status} was made by the gateway, not by the application${blame}`,
      proof,
    }
  }
  if (same !== undefined || header.by === 'backend' || control.some(({ tried }) => tried.own)) {
    return {
      status: http.status,
      who: 'backend',
      says: `the ${http.status} was made by the application; nothing in between made it`,
      proof,
    }
  }
  return { status: http.status, who: 'unknown', says: `nothing tells who made the ${http.status}`, proof }
}

function failures(one: Tested): { one: Tested; http: HttpAnswer }[] {
  return one.result.tries.flatMap(({ outcome }) =>
    outcome.kind === 'answered' && outcome.http !== undefined && outcome.http.status >= 500
      ? [{ one, http: outcome.http }]
      : [],
  )
}

/** What the answer's own headers tell: Proxy-Status (RFC 9209), and Envoy's. */
function readHeader({ headers }: HttpAnswer): {
  readonly by: 'gateway' | 'backend' | undefined
  readonly says: string
} {
  const status = headers['proxy-status']
  if (status !== undefined) {
    const by = /error=/.test(status) ? 'gateway' : /received-status=/.test(status) ? 'backend' : undefined
    return { by, says: `, Proxy-Status: ${status}` }
  }
  if (headers['x-envoy-upstream-service-time'] !== undefined)
    return { by: 'backend', says: ', x-envoy-upstream-service-time is there' }
  return { by: undefined, says: headers.server === undefined ? '' : `, Server: ${headers.server}` }
}

function describe({ plan, tries, unseen }: ControlResult): string {
  if (unseen !== undefined) return unseen
  const said = [
    ...new Set(
      tries.map(({ status, state, says, own }) =>
        own
          ? `${status || 'connected'}, the server's own, ${state}`
          : `${status || 'no answer'}, its own: ${state}, ${says}`,
      ),
    ),
  ]
  return `${controlNames[plan.by ?? 'haproxy']} ${plan.place.kind === 'node' ? `on ${plan.place.name}` : 'outside'} before the same ${plan.to}: ${said.join('; ')}`
}

/** The controls as lines of text. */
export function renderControls(controls: readonly ControlResult[]): readonly string[] {
  const lines = controls.map((one) => {
    const good = one.tries.filter(({ own, status }) => own && status < 500).length
    const sign = one.unseen !== undefined ? '·' : isControlGood(one) ? '✓' : '✗'
    return `  ${sign} ${one.unseen !== undefined ? '' : `${good} of ${one.tries.length} `}${describe(one)}`
  })
  return [...new Set(lines)]
}
