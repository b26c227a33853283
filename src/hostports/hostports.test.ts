import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { ChangeFeed, keyOf, LiveSnapshot } from '../cluster/index.ts'
import type { ContainerPort, Pod } from '../objects/index.ts'
import { compileHostPorts } from './compile.ts'
import { explainHostPort, HostPortTables } from './index.ts'

const addresses = ['10.244.1.5', 'fd00:244::5']

function pod(
  name: string,
  ports: readonly ContainerPort[],
  more: Partial<Pod['spec']> = {},
  created = '2026-01-01',
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', creationTimestamp: `${created}T00:00:00Z` },
    spec: { nodeName: 'node-1', containers: [{ name: 'c', image: 'i', ports: [...ports] }], ...more },
    status: { phase: 'Running', podIPs: addresses.map((ip) => ({ ip })) },
  } as Pod
}

test('which ports a pod has at its node', () => {
  const rows: [string, ContainerPort, string[]][] = [
    ['none', { containerPort: 80 }, []],
    [
      'every address',
      { containerPort: 80, hostPort: 8080 },
      ['any tcp 8080 10.244.1.5:80', 'any tcp 8080 fd00:244::5:80'],
    ],
    [
      'one address',
      { containerPort: 80, hostPort: 8080, hostIP: '172.30.0.11' },
      ['172.30.0.11 tcp 8080 10.244.1.5:80'],
    ],
    ['every address of IPv4', { containerPort: 80, hostPort: 8080, hostIP: '0.0.0.0' }, ['any tcp 8080 10.244.1.5:80']],
    ['every address of IPv6', { containerPort: 80, hostPort: 8080, hostIP: '::' }, ['any tcp 8080 fd00:244::5:80']],
    [
      'UDP',
      { containerPort: 53, hostPort: 53, protocol: 'UDP', hostIP: '127.0.0.1' },
      ['127.0.0.1 udp 53 10.244.1.5:53'],
    ],
  ]
  for (const [name, port, expected] of rows) {
    const { ports, findings } = compileHostPorts(pod('p', [port]))
    const told = ports.map(
      (one) => `${one.address ?? 'any'} ${one.protocol} ${one.port} ${one.target}:${one.targetPort}`,
    )
    assert.deepEqual([told, findings], [expected, []], name)
  }
  assert.deepEqual(compileHostPorts(pod('p', [{ containerPort: 80, hostPort: 80 }], { hostNetwork: true })).ports, [])
  const ended = { ...pod('p', [{ containerPort: 80, hostPort: 80 }]), status: { phase: 'Succeeded' } } as Pod
  assert.deepEqual(compileHostPorts(ended).ports, [])
})

test('a hostIP that is no address is told with the field and the remedy', () => {
  const { ports, findings } = compileHostPorts(pod('p', [{ containerPort: 80, hostPort: 80, hostIP: 'eth0' }]))
  assert.deepEqual(ports, [])
  assert.equal(findings[0]?.field, 'spec.containers[0].ports[0].hostIP')
})

test('of two pods with one port the older has it, and it passes on when that goes', () => {
  const feed = new ChangeFeed()
  const snapshot = new LiveSnapshot(feed)
  const put = (one: Pod) => snapshot.put('pods', keyOf(one), one)
  const tables = new HostPortTables('node-1')
  const old = pod('old', [{ containerPort: 80, hostPort: 80 }])
  const young = pod('young', [{ containerPort: 81, hostPort: 80, hostIP: '172.30.0.11' }], {}, '2026-02-01')
  put(young)
  put(old)
  tables.update(snapshot, undefined)
  feed.take()
  assert.deepEqual(
    tables.findings.map(({ code, object }) => [code, object]),
    [['HostPortTaken', 'pod/shop/young']],
  )
  const ask = { node: 'node-1', destination: parseAddress('172.30.0.11'), protocol: 'tcp', port: 80 }
  assert.equal(explainHostPort(snapshot, ask)?.pod, 'shop/old')
  assert.deepEqual(tables.names, ['ip plumb-hostports', 'ip6 plumb-hostports'])
  assert.equal(tables.onLoopback, true)
  snapshot.put('pods', keyOf(old), undefined)
  const operations = tables.update(snapshot, feed.take())
  assert.deepEqual(tables.findings, [])
  assert.deepEqual(tables.names, ['ip plumb-hostports'], 'no port of IPv6 is left')
  assert.ok(operations.some(({ kind }) => kind === 'delete-table'))
  assert.equal(explainHostPort(snapshot, ask)?.pod, 'shop/young')
  assert.equal(tables.onLoopback, false)
})

test('what changes nothing costs nothing', () => {
  const feed = new ChangeFeed()
  const snapshot = new LiveSnapshot(feed)
  const tables = new HostPortTables('node-1')
  const one = pod('one', [{ containerPort: 80, hostPort: 80 }])
  snapshot.put('pods', keyOf(one), one)
  assert.notEqual(tables.update(snapshot, undefined).length, 0)
  feed.take()
  snapshot.put('pods', keyOf(one), { ...one, metadata: { ...one.metadata, labels: { a: 'b' } } })
  snapshot.put('pods', 'shop/else', pod('else', [{ containerPort: 80, hostPort: 80 }], { nodeName: 'node-2' }))
  assert.deepEqual(tables.update(snapshot, feed.take()), [])
})
