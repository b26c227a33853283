import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Row } from '../row.ts'
import { median, row } from './rows.ts'
import { type Contender, cpuNs, name, node, Stand, treeOf } from './stand.ts'

const each = 200
const rounds = 6

/** A client that makes handshakes, beyond the node. */
export class Handshakes {
  readonly #stand: Stand
  readonly #script: string

  constructor(stand: Stand) {
    this.#stand = stand
    this.#script = join(stand.directory, 'handshakes.cjs')
    writeFileSync(this.#script, client)
  }

  /** Microseconds of a gateway's CPU for each, and how many were made a second. */
  async make(
    { title, https, pids }: Contender,
    version: string,
    kind: 'whole' | 'resumed',
    host = name,
  ): Promise<{ cpu: number; rate: number }> {
    const before = cpuNs(pids())
    const words = [this.#script, String(https), version, kind, String(each), host]
    const said = await this.#stand.gateway.run(process.execPath, ...words)
    const cpu = (cpuNs(pids()) - before) / 1000 / each
    const { made, reused, seconds } = JSON.parse(said || '{}') as { made?: number; reused?: number; seconds?: number }
    if (made !== each || reused !== (kind === 'resumed' ? each : 0))
      throw new Error(`${title}, ${version}, ${kind}: ${said || 'no handshake'}`)
    return { cpu, rate: each / seconds! }
  }
}

/** What a TLS handshake costs beside the same by hand, whole and resumed. */
export async function* handshakes(): AsyncIterable<Row> {
  await using stand = await Stand.open()
  await stand.serve(10)
  const client = new Handshakes(stand)
  const own: Contender = { title: 'Plumb', pids: () => treeOf(stand.gateway.module.pid!), https: 443 }
  const peer: Contender = { title: 'by hand, the same duties', ...(await stand.byHand('full', 10, 8080)) }
  for (const version of ['TLSv1.3', 'TLSv1.2']) {
    for (const kind of ['whole', 'resumed'] as const) {
      const figures = new Map([own, peer].map((one) => [one, { cpu: [] as number[], rate: [] as number[] }]))
      for (let round = 0; round <= rounds; round++) {
        for (const proxy of round % 2 === 0 ? [own, peer] : [peer, own]) {
          const { cpu, rate } = await client.make(proxy, version, kind)
          if (round === 0) continue
          figures.get(proxy)!.cpu.push(cpu)
          figures.get(proxy)!.rate.push(rate)
        }
      }
      const [mine, other] = [figures.get(own)!, figures.get(peer)!]
      const ratio = median(mine.cpu.map((one, at) => one / other.cpu[at]!))
      const words = `${version}, ${kind} handshakes`
      yield row(`${words}, Plumb: rate`, median(mine.rate), '1/s', peer.title, median(mine.rate) / median(other.rate))
      yield row(`${words}, Plumb: CPU each`, median(mine.cpu), 'µs', peer.title, ratio)
    }
  }
}

/** Connects so many times, 4 at a time, and asks once by each connection, as a session by TLS 1.3 comes with the answer. */
const client = `
const { connect } = require('node:tls')
const [port, version, kind, each, name] = process.argv.slice(2)
const counts = { made: 0, reused: 0 }
const shake = (session, keep) => new Promise((resolve, reject) => {
  const options = { host: '${node}', port: Number(port), servername: name, rejectUnauthorized: false, session, minVersion: version, maxVersion: version }
  const socket = connect(options, () => {
    if (keep === undefined) {
      counts.made++
      if (socket.isSessionReused()) counts.reused++
    }
    socket.write('GET /none HTTP/1.1\\r\\nhost: ' + name + '\\r\\nconnection: close\\r\\n\\r\\n')
  })
  let got = session
  socket.on('session', (one) => { got = one })
  socket.on('error', reject)
  socket.on('close', () => resolve(got))
  socket.resume()
})
const chain = async (times) => {
  // A session of TLS 1.3 may be used once.
  let session = kind === 'resumed' ? await shake(undefined, true) : undefined
  for (let at = 0; at < times; at++) {
    const next = await shake(session)
    if (kind === 'resumed') session = next
  }
}
const begun = performance.now()
Promise.all([0, 1, 2, 3].map(() => chain(each / 4))).then(() => {
  console.log(JSON.stringify({ ...counts, seconds: (performance.now() - begun) / 1000 }))
})
`
