import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { TestLab } from '../../test/lab.fixture.ts'
import type { Row } from '../row.ts'
import { breakDown, type Fault, faults, holderOf, nodes, takesPods } from './lab.ts'
import { Probing, percentile, prober } from './probing.ts'

const count = Number(process.env.PLUMB_CONNECTIONS ?? 1000)
const moves = Number(process.env.PLUMB_RUNS ?? 20)
const address = '172.30.0.200'

const echo = `require('net').createServer((s) => s.setNoDelay().on('error', () => 0).pipe(s)).listen(7)
const u = require('dgram').createSocket('udp4')
u.on('message', (data, from) => u.send(data, from.port, from.address)).bind(7)`

/** Pods that tell who they are over HTTP and UDP, and send back what comes to port 7. */
const manifest = JSON.stringify({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas: 6,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [
              {
                name: 'web',
                image: 'example/web',
                ports: [{ containerPort: 80 }, { containerPort: 5353, protocol: 'UDP' }],
              },
              { name: 'echo', image: 'example/echo', command: [process.execPath, '-e', echo] },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: {
        type: 'LoadBalancer',
        selector: { app: 'web' },
        ports: [
          { name: 'http', port: 80 },
          { name: 'who', port: 5353, protocol: 'UDP' },
          { name: 'echo', port: 7 },
          { name: 'echo-udp', port: 7, protocol: 'UDP' },
        ],
      },
    },
  ],
})

/** What an outside client beyond the router sees of an address that moves, and what becomes of its connections, half of them busy. */
export async function* connections(): AsyncIterable<Row> {
  const lab = new TestLab('bench-failover')
  const folder = mkdtempSync(join(tmpdir(), 'plumb-failover-'))
  writeFileSync(join(folder, 'web.json'), manifest)
  try {
    await lab.start('-f', join(folder, 'web.json'))
    yield* plannedMoves(lab)
    for (const fault of faults) yield* survivors(lab, fault)
  } finally {
    await lab.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function* plannedMoves(lab: TestLab): AsyncIterable<Row> {
  await holderOf(lab, address)
  const protocols = ['udp', 'tcp'] as const
  const probings = await Promise.all(
    protocols.map((protocol) => {
      const words = ['exec', '--outside', '--', process.execPath, prober, address, '7', protocol]
      return new Probing(lab.spawn(words, ['pipe', 'pipe', 'inherit'])).open()
    }),
  )
  const measured = { move: [[], []] as number[][], rest: [[], []] as number[][] }
  try {
    for (let i = 0; i < moves; i++) {
      const node = await holderOf(lab, address)
      for (const probing of probings) await probing.calm('before a planned move')
      for (const what of ['rest', 'move'] as const) {
        for (const probing of probings) await probing.mark()
        if (what === 'move') await breakDown(lab, 'planned move', address, node)
        else await pause(300)
        for (const [at, probing] of probings.entries()) measured[what][at]?.push(await probing.gap(`after a ${what}`))
      }
    }
  } finally {
    for (const probing of probings) probing.close()
  }
  for (const [at, protocol] of protocols.entries())
    for (const [name, percent] of [
      ['p50', 50],
      ['p99', 99],
      ['worst', 100],
    ] as const) {
      const [value, rest] = [measured.move[at] ?? [], measured.rest[at] ?? []].map((all) => percentile(all, percent))
      const what = protocol === 'udp' ? 'gap of UDP' : 'longest answer over TCP'
      yield {
        bench: 'failover',
        metric: `planned move in the lab, ${what}, ${name} of ${moves}`,
        value: value ?? Number.NaN,
        unit: 'ms',
        peer: `${(rest ?? Number.NaN).toFixed(2)} ms when nothing moves`,
      }
    }
}

async function* survivors(lab: TestLab, fault: Fault): AsyncIterable<Row> {
  const node = await holderOf(lab, address)
  // Pods of a machine that is gone are gone too: so many more that enough are left.
  const tcp = await lab.openClients(address, takesPods(fault) ? Math.ceil(count * 1.6) : count, 'tcp')
  const udp = await lab.openClients(address, Math.ceil(count / 10), 'udp')
  // A copy of what has just begun is a moment away from the standbys.
  await pause(200)
  const mend = await breakDown(lab, fault, address, node)
  const others = nodes.filter((one) => one !== node)
  const [ofTcp, ofUdp] = await Promise.all([
    tcp.count(takesPods(fault) ? others : nodes),
    udp.count(takesPods(fault) ? others : nodes),
  ])
  const counted = [
    ['TCP connections', ofTcp],
    ['UDP flows', ofUdp],
  ] as const
  await mend()
  for (const clients of [tcp, udp]) clients.close()
  for (const [what, { all, alive }] of counted) {
    const metric = `${fault}${takesPods(fault) ? ', pods of other nodes' : ''}: ${what} of ${all} that go on`
    yield { bench: 'failover', metric, value: alive, unit: '', peer: 'of all', ratio: alive / all }
  }
}
