import type { State } from './source.ts'

/** Names to complete what is typed with. */
export interface Names {
  readonly from: readonly string[]
  readonly to: readonly string[]
}

/** So many names of each kind at most: a list that is longer helps nobody who types. */
const most = 2000

/** Who can ask and who can be asked, in the words of `plumb why`. */
export function namesIn({ snapshot, gateways }: State): Names {
  const pods = [...snapshot.pods.keys()].slice(0, most).map((key) => `pod/${key}`)
  const nodes = [...snapshot.nodes.keys()].slice(0, most).map((name) => `node/${name}`)
  const services = [...snapshot.services].flatMap(([key, { spec }]) => {
    const ports = spec.ports ?? []
    return ports.length === 0 ? [`svc/${key}`] : ports.map(({ port }) => `svc/${key}:${port}`)
  })
  const urls = gateways.entrances.flatMap(({ protocol, shownPort, tiers }) => {
    const scheme = protocol === 'TLS' ? 'https' : 'http'
    const port = shownPort === (protocol === 'TLS' ? 443 : 80) ? '' : `:${shownPort}`
    return tiers.flatMap(({ host }) => (host.kind === 'exact' ? [`${scheme}://${host.name}${port}/`] : []))
  })
  const external = [...snapshot.services.values()].flatMap(({ spec, status }) =>
    (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) =>
      ip === undefined ? [] : (spec.ports ?? []).map(({ port }) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`),
    ),
  )
  const to = [...services.sort(), ...new Set(urls), ...external, ...pods, ...nodes].slice(0, 2 * most)
  return { from: ['internet', ...pods, ...nodes], to }
}
