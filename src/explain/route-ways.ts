import { X509Certificate } from 'node:crypto'
import { compileServers, type Entrance, type GatewayModel, hostText, type WeightedTarget } from '../gateways/index.ts'
import { distinct, sayBehind } from './behind.ts'
import { explainConnection } from './connection.ts'
import { sayEntrance } from './request-entrance.ts'
import type { Setting } from './setting.ts'
import type { Way } from './way.ts'

type Judged = Pick<Way, 'verdict' | 'leadsTo' | 'says' | 'through'>
type Rule = Entrance['tiers'][number]['rules'][number]

/** Each rule of each route and stream of gateways with the pods behind it, and the certificate that each name is shown. */
export function routeWays(setting: Setting): readonly Way[] {
  const backends = new Backends(setting)
  return setting.gateways.entrances.flatMap((entrance) => [
    ...entrance.tiers.flatMap(({ host, rules }) =>
      rules.map((rule) => ruleWay(backends, entrance, hostText(host), rule)),
    ),
    ...entrance.streams.map((stream) => streamWay(backends, entrance, stream)),
    ...certificateWays(setting.gateways, entrance),
  ])
}

function ruleWay(backends: Backends, entrance: Entrance, host: string, rule: Rule): Way {
  const { path, method, headers, query, action, because } = rule
  const scheme = entrance.protocol === 'TLS' ? 'https' : 'http'
  const matches = [...headers, ...query].map(
    ({ name, kind, value }) => `${name}${kind === 'regex' ? '~' : '='}${value}`,
  )
  const pathText = `${path.kind === 'regex' ? '~' : ''}${path.value || '/'}${path.kind === 'prefix' ? '*' : ''}`
  const more = [...(method === undefined ? [] : [method]), ...matches]
  const id = `${sayEntrance(entrance)} ${scheme}://${host}:${entrance.shownPort}${pathText}${more.length === 0 ? '' : ` (${more.join(', ')})`}`
  const redirect = action.filters.find((filter) => filter.kind === 'redirect')
  if (redirect?.kind === 'redirect') {
    const to = [redirect.scheme, redirect.host, redirect.port].filter((one) => one !== undefined).join(' ')
    const leadsTo = [`redirect ${redirect.status} ${to}`.trim()]
    return { kind: 'route', id, verdict: 'allow', leadsTo, says: 'a filter redirects', because }
  }
  return { kind: 'route', id, because, ...backends.judge(action.targets) }
}

function streamWay(
  backends: Backends,
  entrance: Entrance,
  { host, mode, action, because }: Entrance['streams'][number],
): Way {
  const name = mode === 'tcp' || mode === 'udp' ? '' : ` ${hostText(host)}`
  const id = `${sayEntrance(entrance)} ${mode} ${entrance.shownPort}${name}`
  return { kind: 'route', id, because, ...backends.judge(action.targets) }
}

/** Who is behind backends; many routes share them. */
class Backends {
  readonly #setting: Setting
  readonly #known = new Map<string, Judged>()
  readonly #models: ReadonlyMap<string, GatewayModel['backends'][number]>

  constructor(setting: Setting) {
    this.#setting = setting
    this.#models = new Map(setting.gateways.backends.map((one) => [one.id, one]))
  }

  judge(targets: readonly WeightedTarget[]): Judged {
    const counted = targets.filter(({ weight }) => weight > 0)
    if (counted.length === 0) return { verdict: 'deny', leadsTo: [], says: 'no backend has a weight: 503' }
    const whole = counted.reduce((sum, { weight }) => sum + weight, 0)
    const found = counted.map(({ target, weight }) => {
      const one =
        target.kind === 'broken'
          ? { verdict: 'deny' as const, leadsTo: [], says: `500: ${target.says}` }
          : this.#find(target.id)
      const share = counted.length === 1 ? '' : ` (${weight} of ${whole})`
      return { ...one, leadsTo: one.leadsTo.map((name) => `${name}${share}`) }
    })
    const denied = found.find(({ verdict }) => verdict === 'deny')
    const leadsTo = distinct(found.flatMap((one) => one.leadsTo))
    const through = found.flatMap((one) => one.through ?? [])
    return { verdict: denied === undefined ? 'allow' : 'deny', leadsTo, says: denied?.says ?? found[0]!.says, through }
  }

  #find(id: string): Judged {
    const [namespace = '', service = ''] = id.split(':')
    const through = [{ object: `service/${namespace}/${service}`, field: 'spec', value: '' }]
    const known = this.#known.get(id) ?? { ...this.#judgeBackend(id), through }
    this.#known.set(id, known)
    return known
  }

  #judgeBackend(id: string): Judged {
    const { snapshot, facts } = this.#setting
    const model = this.#models.get(id)
    const servers = model === undefined ? [] : compileServers(model, snapshot)
    if (servers.length === 0)
      return { verdict: 'deny', leadsTo: [], says: `503: ${id.split(':').slice(0, 2).join('/')} has no ready endpoint` }
    const leadsTo = distinct(servers.map(({ address, port }) => sayBehind(this.#setting, address, port)))
    const [name] = [...snapshot.nodes.keys()].sort()
    if (name === undefined) return { verdict: 'allow', leadsTo, says: 'reached through a node' }
    // A gateway reaches pods of its own node whatever policies say, so the others' are asked.
    const asked = servers.slice(0, 8).map(({ address, port }) => {
      const own = snapshot.findPod(address)?.spec.nodeName
      const node = [...snapshot.nodes.keys()].find((one) => one !== own) ?? name
      const to = { kind: 'address', address } as const
      return explainConnection(snapshot, { from: { kind: 'node', name: node }, to, transport: 'tcp', port }, facts)
        .verdict
    })
    const denied = asked.find(({ kind }) => kind === 'deny')
    if (denied === undefined) return { verdict: 'allow', leadsTo, says: `at ${leadsTo.join(', ')}` }
    return { verdict: 'deny', leadsTo, says: `504: ${denied.says}` }
  }
}

/** What clients are shown for each name; the leaf’s fingerprint tells a renewed certificate from the old one. */
function certificateWays({ certificates }: GatewayModel, entrance: Entrance): readonly Way[] {
  return entrance.listeners.flatMap(({ host, certificates: own }): readonly Way[] => {
    const shown = certificates.filter(({ id }) => own.includes(id))
    if (shown.length === 0) return []
    const id = `${sayEntrance(entrance)} https://${hostText(host)}:${entrance.shownPort}`
    const leadsTo = shown.map((one) => {
      const { fingerprint256, validToDate } = new X509Certificate(one.pem)
      const print = fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()
      return `secret/${one.id.replace(':', '/')} (${one.names.join(', ')}; until ${validToDate.toISOString().slice(0, 10)}; SHA-256 ${print}…)`
    })
    const because = { object: `secret/${shown[0]!.id.replace(':', '/')}`, field: 'data[tls.crt]', value: '' }
    return [{ kind: 'certificate', id, verdict: 'allow', leadsTo, says: `shown for ${hostText(host)}`, because }]
  })
}
