// A node whose way to the API server loses every packet for a while: how long after the cut what has changed meanwhile is in its kernel.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { parse } from 'yaml'
import { TestLab } from './lab.fixture.ts'

/** Seconds; the long run asks for more. */
const cuts = (process.env.PLUMB_CUTS ?? '8').split(',').map(Number)
const lab = new TestLab('api-cut')
const node = 'node-2'

const endpoint = (last: number) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'far-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'far' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [`192.0.2.${last}`], conditions: { ready: true } }],
  ports: [{ name: '', port: 80, protocol: 'TCP' }],
})

const onNode = (...words: string[]) => lab.cli('exec', '--node', node, '--', ...words)

async function untilProgrammed(last: number, withinMs: number): Promise<number> {
  const begun = Date.now()
  for (;;) {
    const { stdout } = await onNode('nft', 'list', 'ruleset')
    if (stdout.includes(`192.0.2.${last}`)) return Date.now() - begun
    assert.ok(Date.now() - begun < withinMs, `192.0.2.${last} is not in the kernel ${withinMs} ms after the cut`)
    await pause(50)
  }
}

before(async () => {
  await lab.start('--nodes', '2')
  await lab.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'far', namespace: 'default' },
    spec: { ports: [{ port: 80 }] },
  })
  await lab.apply(endpoint(1))
  await untilProgrammed(1, 30_000)
})
after(() => lab.stop())

for (const [index, seconds] of cuts.entries())
  test(`a cut of ${seconds} s without a word: the agent notices, and what has changed is programmed soon after`, {
    timeout: 300_000,
  }, async (t) => {
    const { clusters } = parse(readFileSync(join(lab.folder, `agent-${node}.kubeconfig`), 'utf8')) as {
      clusters: { cluster: { server: string } }[]
    }
    const server = new URL(clusters[0]?.cluster.server ?? '').hostname
    const chain = (hook: string) => `add chain inet cut ${hook} { type filter hook ${hook} priority -300; }`
    const drop = `add rule inet cut output ip daddr ${server} drop; add rule inet cut input ip saddr ${server} drop`
    const cut = await onNode('nft', `add table inet cut; ${chain('input')}; ${chain('output')}; ${drop}`)
    assert.equal(cut.code, 0, cut.stderr)
    const last = 2 + index
    await lab.apply(endpoint(last))
    await pause(seconds * 1000)
    assert.ok(!(await onNode('nft', 'list', 'ruleset')).stdout.includes(`192.0.2.${last}`), 'it is not cut off')
    await onNode('nft', 'delete table inet cut')
    const ms = await untilProgrammed(last, 30_000)
    t.diagnostic(`${seconds} s cut off: programmed ${ms} ms after the end of it`)
  })
