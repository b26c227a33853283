// The doctor on a node of a cluster that is not Plumb's: an API server, static routes, and the rules that kube-proxy v1.33.13 wrote
// there. `npm run test:long` does the same with kube-proxy itself, in each of its modes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Diagnosis } from '../src/doctor/index.ts'
import { KubeProxyCluster, type Said } from './kube-proxy-cluster.ts'
import { faults, patchService } from './kube-proxy-faults.ts'

const cluster = new KubeProxyCluster()

describe('a cluster with the rules of kube-proxy', () => {
  before(async () => {
    await cluster.start()
    await Promise.all(
      [1, 2].map(async (n) => {
        const rules = readFileSync(join(import.meta.dirname, `testdata/kube-proxy-node-${n}.nft`), 'utf8')
        await cluster.must(`node-${n}`, 'nft', ['-f', '-'], rules)
      }),
    )
  })
  after(() => cluster.close())

  it('is well on a node and from outside; what cannot be seen from there is told', async () => {
    const node = await cluster.plumb('node-1', 'doctor', 'svc/shop/web', '-o', 'json')
    assert.equal(first(node).kind, 'healthy', node.stdout)
    assert.equal(node.code, 3)
    assert.match(node.stderr, /this machine is node\/node-1/)
    assert.match(first(node).unseen.join('\n'), /node\/node-2 cannot be entered: it is not on node-1/)
    const outside = await cluster.plumb('outside', 'doctor', 'svc/shop/web')
    assert.match(outside.stdout, /^✓ service\/shop\/web port 80\/tcp answers everywhere it was tried/)
    assert.match(outside.stderr, /of node-1, node-2 are seen only there: run plumb there too, as root/)
  })

  it('why holds the node’s rules against the objects', async () => {
    const { code, stdout } = await cluster.plumb('node-1', 'why', 'pod/shop/client', 'svc/shop/web:80')
    assert.equal(code, 0)
    assert.match(stdout, /✓ kernel: 2 endpoints in kube-proxy’s nftables rules/)
    assert.match(stdout, /10\.244\.2\.11[\s\S]*not seen from node-1: run it on node-2/)
    assert.doesNotMatch(stdout, /169\.254|permanent/)
  })

  for (const { says, on, off, target, expect } of faults.nftables.filter(({ usual }) => usual)) {
    it(says, async () => {
      await cluster.must('node-1', 'sh', ['-c', on])
      try {
        const said = await cluster.plumb('node-1', 'doctor', target, '-o', 'json')
        const [cause] = first(said).causes
        assert.deepEqual([cause?.rule, said.code], [expect.rule, 1], said.stdout)
        assert.equal(cause!.object, expect.object ?? 'node/node-1')
        assert.match(cause!.value, expect.value)
      } finally {
        await cluster.must('node-1', 'sh', ['-c', off])
      }
    })
  }

  it('endpoints that moved while nobody wrote rules are told with the rules that stayed', async () => {
    const move = (app: string) => patchService(cluster, 'web', { selector: { app } })
    await move('local')
    try {
      await cluster.endpoints('web', ['10.244.2.12'])
      const said = await cluster.plumb('node-1', 'doctor', 'svc/shop/web', '-o', 'json')
      const [cause] = first(said).causes
      assert.equal(cause?.rule, 'proxy-behind', said.stdout)
      assert.equal(cause.value, 'does not run')
      assert.match(
        cause.proof.join('\n'),
        /the objects say 10\.244\.2\.12:8080, the rules of node-1 lead to 10\.244\.1\.11:8080, 10\.244\.2\.11:8080/,
      )
    } finally {
      await move('web')
      await cluster.endpoints('web', ['10.244.1.11', '10.244.2.11'])
    }
  })

  it('two machines that answer for one external address are told, and the one that is no node by its MAC address', async () => {
    const address = ['dev', 'eth0', '203.0.113.80/32']
    const silent = await cluster.plumb('node-1', 'doctor', 'svc/shop/local')
    assert.match(silent.stdout, /✗ 203\.0\.113\.80: nobody answers, asked from node\/node-1 on eth0/)
    for (const machine of ['node-2', 'outside']) await cluster.must(machine, 'ip', ['address', 'add', ...address])
    try {
      const said = await cluster.plumb('node-1', 'doctor', 'svc/shop/local', '-o', 'json')
      const [cause] = first(said).causes
      const stranger = cluster.place('outside').namespace.network.findLink('eth0')!.mac!
      assert.equal(cause?.rule, 'address-owner', said.stdout)
      assert.ok(
        cause.says.includes(`${stranger} and node-2 answer`) || cause.says.includes(`node-2 and ${stranger} answer`),
        cause.says,
      )
    } finally {
      for (const machine of ['node-2', 'outside']) await cluster.must(machine, 'ip', ['address', 'del', ...address])
    }
  })

  it('a right that is missing is told by resource, and there is no verdict', async () => {
    const { code, stdout, stderr } = await cluster.plumb(
      'outside',
      'doctor',
      'svc/shop/web',
      '--kubeconfig',
      await cluster.kubeconfigOf('guest'),
    )
    assert.deepEqual([code, stdout], [3, ''])
    assert.match(
      stderr,
      /no verdict without the right to list, in all namespaces: endpointslices\.discovery\.k8s\.io, namespaces, networkpolicies\.networking\.k8s\.io, nodes, pods, servicecidrs\.networking\.k8s\.io, services \(/,
    )
    assert.match(stderr, /plumb access prints the ClusterRole/)
    const role = await cluster.plumb('outside', 'access')
    await cluster.grant(role.stdout, 'guest')
    const { code: granted } = await cluster.plumb(
      'outside',
      'why',
      'pod/shop/client',
      'svc/shop/web:80',
      '--kubeconfig',
      await cluster.kubeconfigOf('guest'),
    )
    assert.equal(granted, 0)
  })

  it('another context of the kubeconfig, an unknown one, and a node that this machine is not', async () => {
    const context = await cluster.plumb('node-1', 'why', 'pod/shop/client', 'svc/shop/web:80', '--context', 'nobody')
    assert.equal(context.code, 3)
    assert.match(context.stderr, /nobody/)
    const node = await cluster.plumb('node-1', 'doctor', 'svc/shop/web', '--node', 'node-2')
    assert.deepEqual([node.code, node.stdout], [3, ''])
    assert.match(node.stderr, /this machine has none of the addresses of node\/node-2 \(172\.31\.0\.12\); run it there/)
  })

  it('is well again when all faults are taken back', async () => {
    const said = await cluster.plumb('node-1', 'doctor', 'svc/shop/web', '-o', 'json')
    assert.equal(first(said).kind, 'healthy', said.stdout)
  })
})

function first({ stdout, stderr }: Said): Diagnosis {
  assert.notEqual(stdout, '', stderr)
  return (JSON.parse(stdout) as { diagnoses: [Diagnosis] }).diagnoses[0]
}
