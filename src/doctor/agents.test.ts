import assert from 'node:assert/strict'
import { test } from 'node:test'
import { snapshotOf, underlayAnnotation } from '../cluster/index.ts'
import { agentDaemonSet } from '../install/index.ts'
import type { DaemonSet, KubeObject, Pod } from '../objects/index.ts'
import { type ApiAccess, findAgentTroubles, type Installation, plumbNodes } from './agents.ts'

const { namespace, name, labels, container } = agentDaemonSet
const ready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }

function node(name: string, labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } } as KubeObject
}

function pod(name: string, nodeName: string, labels: object, more: object = {}): KubeObject {
  const spec = { nodeName, hostNetwork: true, containers: [{ name: container, image: 'plumb:2', args: ['--a'] }] }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec,
    status: ready,
    ...more,
  } as KubeObject
}

const agent = (on: string, more: object = {}): KubeObject => pod(`agent-${on}`, on, labels, more)
const kubeProxy = (on: string): KubeObject => pod(`kube-proxy-${on}`, on, { 'k8s-app': 'kube-proxy' })

function installation(spec: object = {}, missingKinds: string[] = []): Installation {
  const template = { spec: { containers: [{ name: container, image: 'plumb:2', args: ['--a'] }], ...spec } }
  return {
    daemonSet: { metadata: { name, namespace }, spec: { template, ...spec } } as unknown as DaemonSet,
    missingKinds,
  }
}

const well: ApiAccess = { server: '10.0.0.1:6443', missing: [] }
const nodes = [node('a'), node('b', { net: 'plumb' })]

/** `object field`, with what is said, of every trouble. */
function troubles(objects: KubeObject[], about: Installation, seen: Record<string, ApiAccess> = {}) {
  return findAgentTroubles(snapshotOf([...nodes, ...objects]), about, new Map(Object.entries(seen)))
}

test('a node is Plumb’s by its agent’s pod, or where one is meant to be and kube-proxy is not', () => {
  const cases = [
    [[agent('a'), agent('b')], installation(), ['a', 'b']],
    [[agent('a'), kubeProxy('b')], installation(), ['a']],
    [[agent('a')], installation(), ['a', 'b']],
    [[agent('b'), kubeProxy('a')], installation({ nodeSelector: { net: 'plumb' } }), ['b']],
    [[kubeProxy('a'), kubeProxy('b')], { missingKinds: [] }, []],
  ] as const
  for (const [objects, about, expected] of cases)
    assert.deepEqual(plumbNodes(snapshotOf([...nodes, ...objects]), about), expected)
})

test('nothing is wrong where agents run and are what the DaemonSet says, half migrated or not installed', () => {
  assert.deepEqual(troubles([agent('a'), agent('b')], installation(), { a: well, b: well }), [])
  assert.deepEqual(troubles([agent('a'), kubeProxy('b')], installation(), { a: well }), [])
  assert.deepEqual(troubles([kubeProxy('a')], { missingKinds: ['egresses.plumb.network'] }), [])
})

test('each trouble names its object and field', () => {
  const waiting = [{ name: container, restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } }]
  const crashing = { status: { phase: 'Running', containerStatuses: waiting } }
  const own = (agent('a') as Pod).spec.containers[0]
  const old = { spec: { nodeName: 'a', containers: [{ ...own, image: 'plumb:1' }] } }
  const both = (first: object) => [agent('a', first), agent('b')]
  const cases = [
    ['no pod', [agent('a')], installation(), {}, `daemonset/${namespace}/${name} status`, 'certain'],
    [
      'left out',
      [agent('b')],
      installation({ nodeSelector: { net: 'plumb' } }),
      {},
      `daemonset/${namespace}/${name} spec.template.spec.nodeSelector`,
      'possible',
    ],
    [
      'crashing',
      both(crashing),
      installation(),
      {},
      `pod/${namespace}/agent-a status.containerStatuses[${container}].state.waiting`,
      'certain',
    ],
    [
      'older, on its way',
      both(old),
      installation(),
      {},
      `pod/${namespace}/agent-a spec.containers[${container}].image`,
      'possible',
    ],
    [
      'older, for good',
      both(old),
      installation({ updateStrategy: { type: 'OnDelete' } }),
      {},
      `pod/${namespace}/agent-a spec.containers[${container}].image`,
      'certain',
    ],
    [
      'cut off',
      both({}),
      installation(),
      { a: { ...well, error: 'no answer' }, b: well },
      `pod/${namespace}/agent-a spec.containers[${container}].env[KUBERNETES_SERVICE_HOST]`,
      'certain',
    ],
    [
      'refused',
      both({}),
      installation(),
      { a: { ...well, missing: ['list pods'] }, b: well },
      `clusterrolebinding/${name} roleRef`,
      'certain',
    ],
    [
      'no kinds',
      both({}),
      installation({}, ['egresses.plumb.network']),
      {},
      'customresourcedefinition/egresses.plumb.network metadata.name',
      'certain',
    ],
  ] as const
  for (const [what, objects, about, seen, expected, confidence] of cases) {
    const found = troubles([...objects], about, seen)
    assert.deepEqual(
      found.map(({ object, field, confidence }) => [`${object} ${field}`, confidence]),
      [[expected, confidence]],
      what,
    )
  }
})

test('a node on which an agent has been is Plumb’s, and misses it', () => {
  const left = { ...node('a'), metadata: { name: 'a', annotations: { [underlayAnnotation]: '{}' } } } as KubeObject
  const snapshot = snapshotOf([left, nodes[1]!, agent('b')])
  const about = installation({ nodeSelector: { net: 'plumb' } })
  assert.deepEqual(plumbNodes(snapshot, about), ['a', 'b'])
  const [found] = findAgentTroubles(snapshot, about, new Map())
  assert.deepEqual([found?.node, found?.confidence], ['a', 'certain'])
})

test('who reaches the API server from elsewhere tells an address that is wrong from a way that is cut', () => {
  const cut = { ...well, error: 'no answer' }
  const says = (seen: Record<string, ApiAccess>) =>
    troubles([agent('a'), agent('b')], installation(), seen)[0]?.fix.says
  assert.match(says({ a: cut, b: well }) ?? '', /see what drops connections from a/)
  assert.match(says({ a: cut, b: cut }) ?? '', /plumb install --api-server/)
  const elsewhere = { ...well, server: '10.0.0.2:6443' }
  assert.match(says({ a: cut, b: elsewhere }) ?? '', /plumb install --api-server/)
})
