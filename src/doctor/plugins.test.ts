import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { NodeRules } from '../netfilter/index.ts'
import type { Pod } from '../objects/index.ts'
import { collected, objectsOf } from './cluster.fixture.ts'
import { examine } from './examination.ts'
import { findPlugins, findProxyPod } from './plugins.ts'
import { compareProxy } from './proxy.ts'
import { proxyBehind } from './rules/proxy-behind.ts'

const shape = {
  nodes: 1,
  pods: [0],
  type: 'ClusterIP',
  local: false,
  dual: false,
  affinity: false,
  port: { name: 'http', number: 80, protocol: 'TCP' },
  named: false,
  foreign: false,
  silentAgent: false,
} as const

const labelled = (name: string, labels: Record<string, string>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'kube-system', labels },
  spec: { nodeName: 'node-0', hostNetwork: true, containers: [] },
})

test('network plugins are known by their API groups and by the labels of their pods', () => {
  const snapshot = snapshotOf([labelled('cilium-x', { 'k8s-app': 'cilium' }), labelled('kube-proxy-y', {})])
  const { found, enforcers, proxies } = findPlugins(snapshot, ['crd.projectcalico.org', 'apps'])
  assert.deepEqual(found, ['Calico (API group crd.projectcalico.org)', 'Cilium (1 pod with k8s-app=cilium)'])
  assert.deepEqual(
    [enforcers, proxies],
    [
      ['Calico', 'Cilium'],
      ['Calico', 'Cilium'],
    ],
  )
  assert.equal(findProxyPod(snapshot, 'node-0')?.metadata.name, 'kube-proxy-y')
  assert.deepEqual(findPlugins(snapshotOf([]), []), { found: [], enforcers: [], proxies: [] })
})

test('a node without rules is blamed where Services fail, and not where programs in the kernel may serve them', () => {
  const nothing: NodeRules = { rulesets: [], virtualServers: [], addresses: [parseAddress('172.30.0.10')], blind: [] }
  const blamed = (others: readonly string[], runs: boolean | undefined, fails: boolean): readonly string[] => {
    const base = collected(shape, ({ rung }) =>
      fails && rung === 'cluster-ip' ? { kind: 'silence' } : { kind: 'answered', says: 'HTTP 200' },
    )
    const snapshot = snapshotOf(objectsOf(shape))
    const proxy = compareProxy(snapshot, { node: 'node-0', rules: nothing, runs, others }, 'ns/web')
    const nodes = base.nodes.map((one) => ({ ...one, agent: undefined, proxy }))
    return proxyBehind.judge(examine({ ...base, nodes })).map(({ says }) => says)
  }
  assert.match(blamed([], false, true)[0] ?? '', /node-0 leads no Service on: kube-proxy does not run there/)
  assert.match(blamed([], true, true)[0] ?? '', /kube-proxy runs and its rules are gone/)
  assert.deepEqual(blamed([], false, false), [])
  assert.deepEqual(blamed(['Cilium'], false, true), [])
  assert.equal(blamed(['Cilium'], true, true).length, 1)
})
