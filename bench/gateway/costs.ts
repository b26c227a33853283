import type { Row } from '../row.ts'
import { canCount, instructions } from './instructions.ts'
import { median, row } from './rows.ts'
import { type Contender, Stand, treeOf } from './stand.ts'

const rounds = 8

/**
 * What a request costs beside each peer: CPU time in alternating rounds, of each of which only the ratio counts, and where valgrind is
 * there the instructions of HAProxy, which are the same on any machine.
 */
export async function* costs(routes: number): AsyncIterable<Row> {
  await using stand = await Stand.open()
  await stand.serve(routes)
  const nginx = await stand.nginx(routes, 8084)
  const proxies: Contender[] = [
    {
      title: 'Plumb',
      pids: () => treeOf(stand.gateway.module.pid!),
      http: 80,
      https: 443,
      config: stand.gateway.directory,
    },
    { title: 'by hand, the same duties', ...(await stand.byHand('full', routes, 8080)) },
    { title: 'by hand, X-Forwarded-For and a log', ...(await stand.byHand('logged', routes, 8083)) },
    { title: 'by hand, bare', ...(await stand.byHand('bare', routes, 8081)) },
    ...(nginx === undefined ? [] : [{ title: 'nginx', ...nginx }]),
    { title: 'Node proxy', ...(await stand.nodeProxy(routes, 8082)) },
  ]
  for (const scheme of ['http', 'https'] as const) {
    yield* times(stand, proxies, scheme, routes)
    yield* counts(stand, proxies, scheme, routes)
  }
}

async function* times(
  stand: Stand,
  proxies: readonly Contender[],
  scheme: 'http' | 'https',
  routes: number,
): AsyncIterable<Row> {
  const able = proxies.filter((one) => one[scheme] !== undefined)
  const measured = new Map(able.map(({ title }) => [title, { cpu: [] as number[], rate: [] as number[] }]))
  for (let round = 0; round <= rounds; round++) {
    for (const proxy of round % 2 === 0 ? able : able.toReversed()) {
      const { cpu, rate } = await stand.measure(proxy, scheme, routes)
      // The first warms up.
      if (round === 0) continue
      measured.get(proxy.title)!.cpu.push(cpu)
      measured.get(proxy.title)!.rate.push(rate)
    }
  }
  const own = measured.get('Plumb')!
  for (const [title, { cpu, rate }] of measured) {
    const words = `${scheme}, ${routes} routes, ${title}`
    yield row(`${words}: rate`, median(rate), 'req/s')
    if (title === 'Plumb') {
      yield row(`${words}: CPU a request`, median(cpu), 'µs')
      continue
    }
    // Of the same round, so that what the machine does in the meantime is in both.
    const ratios = own.cpu.map((one, at) => one / cpu[at]!).toSorted((a, b) => a - b)
    const spread = `Plumb to it, ${ratios[1]!.toFixed(2)} to ${ratios.at(-2)!.toFixed(2)} without the outermost`
    yield row(`${words}: CPU a request`, median(cpu), 'µs', spread, median(ratios))
  }
}

async function* counts(
  stand: Stand,
  proxies: readonly Contender[],
  scheme: 'http' | 'https',
  routes: number,
): AsyncIterable<Row> {
  if (!canCount()) return
  let own: number | undefined
  for (const proxy of proxies) {
    if (proxy.config === undefined) continue
    const count = await instructions(stand, proxy, scheme, routes)
    own ??= count
    const peer: [string?, number?] = proxy.title === 'Plumb' ? [] : ['Plumb to it', own / count]
    yield row(`${scheme}, ${routes} routes, ${proxy.title}: instructions a request`, count, '', ...peer)
  }
}
