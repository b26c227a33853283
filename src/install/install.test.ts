import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { findKindOf, type KubeObject } from '../objects/index.ts'
import { installObjects } from './index.ts'

const crds = join(import.meta.dirname, '../../crds')
const definitions = readdirSync(crds, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(json|yaml)$/.test(name))
  .map((name) => parse(readFileSync(join(crds, name), 'utf8')) as KubeObject)
const options = {
  image: 'registry.example/plumb:1',
  apiServer: { host: '10.0.0.10', port: 6443 },
  serviceCidr: '10.96.0.0/16',
  clusterCidr: '10.244.0.0/16',
  policies: 'strict',
} as const

// biome-ignore lint/suspicious/noExplicitAny: a test looks into any object
const find = (kind: string, name: string): any =>
  installObjects(options, definitions).find((one) => one.kind === kind && one.metadata.name === name)

test('every object is of a kind that the cluster has, or that is defined before', () => {
  const defined = new Set<string>()
  for (const object of installObjects(options, definitions)) {
    const kind = findKindOf(object.apiVersion, object.kind)
    assert.ok(kind !== undefined || defined.has(object.kind), `${object.apiVersion} ${object.kind}`)
    if (object.kind === 'CustomResourceDefinition')
      defined.add((object as unknown as { spec: { names: { kind: string } } }).spec.names.kind)
  }
})

test('agents do not wait for the network that they make', () => {
  const { spec } = find('DaemonSet', 'plumb-agent').spec.template
  assert.equal(spec.hostNetwork, true)
  assert.deepEqual(spec.tolerations, [{ operator: 'Exists' }])
  const [agent] = spec.containers
  const address = agent.env.find(({ name }: { name: string }) => name === 'KUBERNETES_SERVICE_HOST')
  assert.equal(address.value, '10.0.0.10', 'not the ClusterIP, which nobody serves yet')
  assert.equal(spec.initContainers[0].image, agent.image)
})

test('each account is bound to the role of its own process', () => {
  for (const name of ['plumb-agent', 'plumb-controllers']) {
    assert.equal(find('ClusterRoleBinding', name).roleRef.name, name)
    assert.deepEqual(find('ClusterRoleBinding', name).subjects, [
      { kind: 'ServiceAccount', name, namespace: 'plumb-system' },
    ])
    assert.ok(find('ServiceAccount', name))
  }
})
