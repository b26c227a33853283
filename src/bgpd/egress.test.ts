import assert from 'node:assert/strict'
import { type ChildProcess, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { EgressRig, egressObject, firstLine, nodeObject, Owners } from '../agent/egress.fixture.ts'
import { ChangeFeed, LiveSnapshot } from '../cluster/index.ts'
import { spawnIn } from '../host/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { BgpModule } from './index.ts'

// Two nodes on two segments; the router learns by BGP alone where an egress address is.

const red = parseAddress('198.51.100.200')
const rig = new EgressRig(2, 2)
const owners = new Owners(() => undefined)
const folder = mkdtempSync(join(tmpdir(), 'plumb-egress-bgp-'))
const speakers: BgpModule[] = []
let bird: ChildProcess

const plumb = (kind: string, name: string, spec: object): KubeObject =>
  ({ apiVersion: 'plumb.network/v1alpha1', kind, metadata: { name, generation: 1 }, spec }) as KubeObject

/** The next hops of the router for the address. */
function nextHops(): string {
  const text = rig.router.run(() => spawnSync('ip', ['route', 'show', `${red}/32`], { encoding: 'utf8' })).stdout
  return [...text.matchAll(/via (\S+)/g)].map(([, hop]) => hop).join()
}

async function until(what: string, holds: () => boolean): Promise<number> {
  const begun = performance.now()
  while (!holds()) {
    assert.ok(performance.now() - begun < 30_000, `not within 30 s: ${what}; next hops ${nextHops()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return Math.round(performance.now() - begun)
}

before(async () => {
  rig.serve()
  const config = join(folder, 'router.conf')
  const node = (number: number): string => {
    const { 4: address } = rig.addressesOf(number)
    return `protocol bgp node${number} from node { neighbor ${address} as 64512; }`
  }
  writeFileSync(
    config,
    `log stderr all; router id 172.30.0.1; protocol device { }
     protocol kernel { merge paths on; ipv4 { import none; export all; }; }
     protocol bfd liveness { interface "br*" { min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }; }
     template bgp node { local as 64513; bfd on; direct; ipv4 { import all; export none; }; connect delay time 1; error wait time 1, 2; }
     ${node(1)} ${node(2)}`,
  )
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
  const words = ['-f', '-c', config, '-s', join(folder, 'router.ctl')]
  bird = spawnIn(rig.router, 'bird', words, { stdio: 'ignore', env })
  rig.objects.put(plumb('IPAddressPool', 'exits', { addresses: ['198.51.100.0/24'] }))
  rig.objects.put(plumb('BFDProfile', 'fast', { receiveInterval: 50, transmitInterval: 50 }))
  rig.objects.put(plumb('BGPAdvertisement', 'exits', { ipAddressPools: ['exits'] }))
  for (const [number, peerAddress] of [
    [1, '172.30.0.1'],
    [2, '172.30.1.1'],
  ] as const) {
    const spec = { myASN: 64512, peerASN: 64513, peerAddress, bfdProfile: 'fast', connectTime: '1s' }
    const nodeSelectors = [{ matchLabels: { name: `node-${number}` } }]
    rig.objects.put(plumb('BGPPeer', `router-${number}`, { ...spec, nodeSelectors }))
  }
  const egress = egressObject('red', { egressIPs: [red] })
  rig.objects.put(egress)
  for (const number of [1, 2]) {
    await rig.startNode(number, 'off', owners)
    const name = `node-${number}`
    const snapshot = new LiveSnapshot(new ChangeFeed())
    const own = nodeObject(number, number - 1, rig.addressesOf(number))
    snapshot.put('nodes', name, { ...own, metadata: { ...own.metadata, labels: { name } } })
    snapshot.put('egresses', 'red', egress)
    const speaker = new BgpModule({
      client: rig.objects.client,
      namespace: rig.node(name),
      nodeName: name,
      directory: join(folder, name),
      log: rig.log,
      ownership: owners,
      pollMs: 50,
    })
    speaker.update(snapshot, undefined, new ChangeFeed().take())
    speakers.push(speaker)
  }
})
after(async () => {
  for (const speaker of speakers) await speaker.close()
  bird.kill()
  await rig.close()
  rmSync(folder, { recursive: true, force: true })
})

test('an egress address moves between segments by its route alone: nothing breaks, nothing leaks; a cut holder is left behind', async () => {
  owners.move(red, 'node-1')
  await until('the router knows the holder', () => nextHops() === '172.30.0.11')
  const leaks = rig.watchLeaks([red])
  const pods = [await rig.addPod('one', 1, { egress: 'red' }), await rig.addPod('two', 2, { egress: 'red' })]
  const flows = await Promise.all(Array.from({ length: 40 }, (_, i) => rig.connect(pods[i % 2] ?? assert.fail())))
  for (const { source } of flows) assert.equal(source.split(' ')[0], red)
  const ask = async (text: string): Promise<number> => {
    const begun = performance.now()
    const answers = flows.map(({ socket }) => firstLine(socket, 20_000))
    for (const { socket } of flows) socket.write(`${text}\n`)
    assert.deepEqual([...new Set(await Promise.all(answers))], [text])
    return Math.round(performance.now() - begun)
  }
  let longest = 0
  for (let i = 0; i < 3; i++) {
    const to = i % 2 === 0 ? '172.30.1.12' : '172.30.0.11'
    owners.move(red, i % 2 === 0 ? 'node-2' : 'node-1')
    longest = Math.max(longest, await ask(`while it moves ${i}`))
    // First both are told, so that there is always a way, and then the next holder's alone.
    await until('the next holder alone', () => nextHops() === to)
    longest = Math.max(longest, await ask(`moved ${i}`))
  }
  console.log(`3 moves between segments: 40 connections went on, the slowest answer took ${longest} ms`)
  owners.move(red, 'node-2')
  await until('node-2', () => nextHops() === '172.30.1.12')
  const own = flows.filter((_, i) => i % 2 === 0)
  rig.cable(2, false)
  const gone = await until('BFD has noticed', () => nextHops() === '')
  const answers = own.map(({ socket }) => firstLine(socket, 20_000))
  for (const { socket } of own) socket.write('cut\n')
  const begun = performance.now()
  owners.move(red, 'node-1')
  assert.deepEqual([...new Set(await Promise.all(answers))], ['cut'])
  console.log(
    `holder cut off: gone from the router after ${gone} ms; connections went on ${Math.round(performance.now() - begun)} ms after the next holder was there`,
  )
  assert.equal(leaks(), 0)
})
