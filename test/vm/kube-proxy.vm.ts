// What no kernel without IPVS can show: what kube-proxy itself leaves with --proxy-mode=ipvs, held against the objects.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { snapshotOf } from '../../src/cluster/index.ts'
import { compareProxy } from '../../src/doctor/index.ts'
import type { KubeObject } from '../../src/objects/index.ts'
import { readRules } from '../../src/probes/index.ts'
import { KubeProxyCluster } from '../kube-proxy-cluster.ts'

const needed = ['kube-proxy', 'ipvsadm', 'ipset', 'iptables']
const missing = needed.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)
const skip = missing.length === 0 ? false : `not in the machine: ${missing.join(', ')}`
const cluster = new KubeProxyCluster()

describe('kube-proxy, mode ipvs', { skip, timeout: 1_500_000 }, () => {
  before(async () => {
    await cluster.start()
    for (const node of ['node-1', 'node-2']) {
      const words = ['--kubeconfig', cluster.kubeconfig, '--hostname-override', node, '--proxy-mode', 'ipvs']
      const untouched = ['--conntrack-max-per-core=0', '--conntrack-tcp-timeout-established=0']
      cluster.keep(node, 'kube-proxy', [
        ...words,
        ...untouched,
        '--conntrack-tcp-timeout-close-wait=0',
        '--cluster-cidr=10.244.0.0/16',
        '--ipvs-strict-arp',
      ])
    }
    for (;;) {
      const { stdout } = await cluster.run('node-1', 'ipvsadm', ['-Sn'])
      if (stdout.includes('10.96.0.50:80') && stdout.includes('203.0.113.80:80')) break
      await pause(1000)
    }
  })
  after(() => cluster.close())

  it('its virtual servers lead where the objects say, and what is gone is told', async () => {
    const well = await compare('node-1')
    assert.deepEqual([well.mode, well.behind], ['ipvs', 0], JSON.stringify(well))
    assert.ok(well.compared >= 5)
    await cluster.must('node-1', 'ipvsadm', ['-D', '-t', '10.96.0.50:80'])
    const behind = await compare('node-1')
    assert.equal(behind.behind, 1)
    assert.match(behind.differences[0]?.found ?? '', /know no such address/)
  })
})

async function compare(node: string) {
  const objects: KubeObject[] = []
  for (const path of [
    '/api/v1/services',
    '/api/v1/nodes',
    '/api/v1/pods',
    '/apis/discovery.k8s.io/v1/endpointslices',
  ]) {
    const { kind, items } = await cluster.client.request<{ kind: string; items: KubeObject[] }>('GET', path)
    objects.push(...items.map((one) => ({ ...one, kind: kind.replace(/List$/, '') })))
  }
  const rules = await readRules(cluster.place(node).namespace)
  return compareProxy(snapshotOf(objects), { node, rules, runs: true, others: [] }, 'shop/web')
}
