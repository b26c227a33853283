import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parsePrefix } from '../addr/index.ts'
import type { Client } from '../client/index.ts'
import {
  ConfigMaps,
  DaemonSets,
  type Deployment,
  Deployments,
  type EndpointSlice,
  EndpointSlices,
  type Endpoints,
  EndpointsKind,
  Events,
  Jobs,
  type Kind,
  type KubeEvent,
  type KubeObject,
  Leases,
  Namespaces,
  type Node,
  Nodes,
  PersistentVolumeClaims,
  PersistentVolumes,
  type Pod,
  Pods,
  type ReplicaSet,
  ReplicaSets,
  ServiceAccounts,
  Services,
  StatefulSets,
} from '../objects/index.ts'
import { type Cluster, readyNode, startCluster, until } from './cluster.fixture.ts'
import { startControllers } from './index.ts'

const namespace = 'default'
// biome-ignore lint/suspicious/noExplicitAny: tests look into any object
type Any = any

function deployment(name: string, replicas: number, more: object = {}, image = 'v1'): Deployment {
  const labels = { app: name }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image, ports: [{ containerPort: 80 }] }] } },
      ...more,
    },
  }
}

async function listOf<T extends KubeObject>(client: Client, kind: Kind, app?: string): Promise<T[]> {
  const selector = app === undefined ? {} : { labelSelector: `app=${app}` }
  return (await client.list<T>(kind, { namespace, ...selector })).items
}

/** As `kubectl rollout status` decides. */
async function rolledOut(client: Client, name: string): Promise<boolean> {
  const { metadata, spec, status = {} } = await client.get<Deployment>(Deployments, namespace, name)
  return (
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    status.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas &&
    status.availableReplicas === spec.replicas
  )
}

describe('a cluster of three nodes', () => {
  let cluster: Cluster
  let client: Client
  before(async () => {
    cluster = await startCluster(
      { clusterPrefixes: [parsePrefix('10.244.0.0/16'), parsePrefix('fd00:244::/56')], clusterCa: 'CA' },
      3,
    )
    client = cluster.client
  })
  after(async () => {
    await cluster.close()
    assert.deepEqual(cluster.troubles, [])
  })

  test('nodes get prefixes of both families, each its own', async () => {
    const prefixes = async () => (await client.list<Node>(Nodes)).items.map(({ spec }) => spec?.podCIDRs ?? [])
    await until('prefixes', async () => (await prefixes()).every((all) => all.length === 2))
    assert.equal(new Set((await prefixes()).flat()).size, 6)
  })

  test('every namespace has its service account and the root certificate', async () => {
    await client.create(Namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'fresh' } })
    await until(
      'root ca',
      async () => (await client.find<Any>(ConfigMaps, 'fresh', 'kube-root-ca.crt'))?.data['ca.crt'] === 'CA',
    )
  })

  test('a Deployment comes up spread, behind its Service, rolls, goes back, scales, and goes with all it made', async () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    }
    await client.create<KubeObject>(Services, service)
    await client.create(Deployments, deployment('web', 6))
    await until('rollout', () => rolledOut(client, 'web'))
    const pods = await listOf<Pod>(client, Pods, 'web')
    const perNode = Map.groupBy(pods, ({ spec }) => spec.nodeName)
    assert.deepEqual(
      [...perNode.values()].map(({ length }) => length),
      [2, 2, 2],
    )

    const addresses = (pods: Pod[]) => pods.map(({ status }) => status?.podIP).sort()
    const inSlices = async () =>
      (await listOf<EndpointSlice>(client, EndpointSlices))
        .flatMap(({ endpoints }) => endpoints)
        .filter((e) => e.conditions?.ready)
        .flatMap((e) => e.addresses)
        .sort()
    const inEndpoints = async () =>
      ((await client.find<Endpoints>(EndpointsKind, namespace, 'web'))?.subsets ?? [])
        .flatMap(({ addresses = [] }) => addresses)
        .map(({ ip }) => ip)
        .sort()
    const behind = async () => {
      const want = addresses(await listOf<Pod>(client, Pods, 'web')).join()
      return (await inSlices()).join() === want && (await inEndpoints()).join() === want
    }
    await until('endpoints', behind)

    const [first] = await listOf<ReplicaSet>(client, ReplicaSets, 'web')
    const setImage = (image: string) =>
      client.patch(Deployments, namespace, 'web', 'strategic', {
        spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
      })
    await setImage('v2')
    await until('second rollout', () => rolledOut(client, 'web'))
    await until('endpoints of v2', behind)
    await setImage('v1')
    await until('back again', () => rolledOut(client, 'web'))
    const sets = await listOf<ReplicaSet>(client, ReplicaSets, 'web')
    assert.equal(sets.length, 2, 'the old template reuses its ReplicaSet')
    const back = sets.find(({ metadata }) => metadata.uid === first?.metadata.uid)
    assert.equal(back?.spec.replicas, 6)
    assert.equal(back?.metadata.annotations?.['deployment.kubernetes.io/revision'], '3')
    assert.equal(back?.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1')
    const progressing = (await client.get<Deployment>(Deployments, namespace, 'web')).status?.conditions?.find(
      ({ type }) => type === 'Progressing',
    )
    assert.equal(progressing?.reason, 'NewReplicaSetAvailable')

    await client.patch(Deployments, namespace, 'web', 'merge', { spec: { replicas: 2 } })
    await until(
      'scaled',
      async () => (await rolledOut(client, 'web')) && (await listOf<Pod>(client, Pods, 'web')).length === 2,
    )
    await client.patch(Deployments, namespace, 'web', 'merge', { spec: { paused: true } })
    await setImage('v3')
    await client.patch(Deployments, namespace, 'web', 'merge', { spec: { replicas: 3 } })
    await until(
      'scaled while paused',
      async () => (await client.get<Deployment>(Deployments, namespace, 'web')).status?.availableReplicas === 3,
    )
    assert.equal((await listOf<ReplicaSet>(client, ReplicaSets, 'web')).length, 2, 'paused: no new ReplicaSet')

    await client.delete(Deployments, namespace, 'web', { propagationPolicy: 'Background' })
    await until(
      'all gone',
      async () => (await listOf(client, ReplicaSets, 'web')).length + (await listOf(client, Pods, 'web')).length === 0,
    )
    await client.delete(Services, namespace, 'web')
    await until(
      'endpoints gone',
      async () => (await client.find(EndpointsKind, namespace, 'web')) === undefined && (await inSlices()).length === 0,
    )
    const reasons = new Set((await listOf<KubeEvent>(client, Events)).map(({ reason }) => reason))
    for (const reason of ['ScalingReplicaSet', 'SuccessfulCreate', 'Scheduled']) assert.ok(reasons.has(reason), reason)
  })

  test('a pod that is deleted is replaced, and never by two', async () => {
    await client.create(Deployments, deployment('steady', 3))
    await until('rollout', () => rolledOut(client, 'steady'))
    const seen = new Set<string>()
    const informer = cluster.connect().informer<Pod>(Pods, { namespace, labelSelector: 'app=steady' })
    informer.onChange((_, pod) => pod && seen.add(pod.metadata.uid ?? ''))
    await informer.start()
    for (let round = 1; round <= 5; round++) {
      const [victim] = await listOf<Pod>(client, Pods, 'steady')
      await client.delete(Pods, namespace, victim?.metadata.name ?? '', { gracePeriodSeconds: 0 })
      await until('replaced', async () => (await rolledOut(client, 'steady')) && seen.size === 3 + round)
    }
    await client.delete(Deployments, namespace, 'steady')
    await until('gone', async () => (await listOf(client, Pods, 'steady')).length === 0)
    assert.equal(seen.size, 8)
  })

  test('Recreate never has pods of two templates', async () => {
    await client.create(Deployments, deployment('one', 2, { strategy: { type: 'Recreate' } }))
    await until('rollout', () => rolledOut(client, 'one'))
    let mixed = false
    const informer = cluster.connect().informer<Pod>(Pods, { namespace, labelSelector: 'app=one' })
    informer.onChange(() => {
      mixed ||= new Set([...informer.values()].map(({ metadata }) => metadata.labels?.['pod-template-hash'])).size > 1
    })
    await informer.start()
    await client.patch(Deployments, namespace, 'one', 'strategic', {
      spec: { template: { spec: { containers: [{ name: 'c', image: 'v2' }] } } },
    })
    await until('second rollout', () => rolledOut(client, 'one'))
    assert.equal(mixed, false)
    await client.delete(Deployments, namespace, 'one')
  })

  test('deletion in the foreground waits for the pods; orphans stay and can be adopted', async () => {
    await client.create(Deployments, deployment('fore', 2))
    await until('rollout', () => rolledOut(client, 'fore'))
    const order: string[] = []
    const other = cluster.connect()
    for (const kind of [Deployments, ReplicaSets, Pods]) {
      const informer = other.informer(kind, { namespace })
      informer.onChange((old, current) => {
        if (old?.metadata.name.startsWith('fore') && current === undefined) order.push(kind.kind)
      })
      await informer.start()
    }
    await client.delete(Deployments, namespace, 'fore', { propagationPolicy: 'Foreground' })
    await until('gone', () => order.includes('Deployment'))
    assert.deepEqual(order, ['Pod', 'Pod', 'ReplicaSet', 'Deployment'])

    await client.create(Deployments, deployment('kept', 2))
    await until('rollout', () => rolledOut(client, 'kept'))
    await client.delete(Deployments, namespace, 'kept', { propagationPolicy: 'Orphan' })
    await until('gone', async () => (await client.find(Deployments, namespace, 'kept')) === undefined)
    const [orphan] = await listOf<ReplicaSet>(client, ReplicaSets, 'kept')
    assert.deepEqual(orphan?.metadata.ownerReferences ?? [], [])
    const pods = (await listOf<Pod>(client, Pods, 'kept')).map(({ metadata }) => metadata.uid).sort()
    assert.equal(pods.length, 2)
    await client.create(Deployments, deployment('kept', 2))
    await until(
      'adopted',
      async () =>
        (await listOf<ReplicaSet>(client, ReplicaSets, 'kept'))[0]?.metadata.ownerReferences?.[0]?.kind ===
        'Deployment',
    )
    await until('rollout', () => rolledOut(client, 'kept'))
    assert.deepEqual((await listOf<Pod>(client, Pods, 'kept')).map(({ metadata }) => metadata.uid).sort(), pods)
    await client.delete(Deployments, namespace, 'kept', { propagationPolicy: 'Background' })
  })

  test('a StatefulSet comes up in order under stable names, and is updated from the top', async () => {
    const made: string[] = []
    const informer = cluster.connect().informer<Pod>(Pods, { namespace, labelSelector: 'app=db' })
    informer.onChange((old, pod) => !old && pod && made.push(pod.metadata.name))
    await informer.start()
    const { spec } = deployment('db', 3)
    const storage = {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    }
    await client.create<KubeObject>(StatefulSets, {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db', namespace },
      spec: { ...spec, serviceName: 'db', volumeClaimTemplates: [storage] },
    } as KubeObject)
    const status = async () => (await client.get<Any>(StatefulSets, namespace, 'db')).status
    await until('ready', async () => (await status())?.readyReplicas === 3)
    assert.deepEqual(made, ['db-0', 'db-1', 'db-2'])
    const pod = await client.get<Pod>(Pods, namespace, 'db-1')
    assert.deepEqual(
      [pod.spec.hostname, pod.spec.subdomain, pod.metadata.labels?.['statefulset.kubernetes.io/pod-name']],
      ['db-1', 'db', 'db-1'],
    )
    const claim = async () => client.get<Any>(PersistentVolumeClaims, namespace, 'data-db-1')
    await until('bound', async () => (await claim()).status?.phase === 'Bound')
    const { spec: claimed, status: claimStatus } = await claim()
    assert.equal(claimStatus.capacity.storage, '1Gi')
    assert.equal((pod.spec as Any).volumes[0].persistentVolumeClaim.claimName, 'data-db-1')
    const volume = async () => client.find<Any>(PersistentVolumes, undefined, claimed.volumeName)
    await until('its volume too', async () => (await volume())?.status?.phase === 'Bound')
    made.length = 0
    await client.patch(StatefulSets, namespace, 'db', 'strategic', {
      spec: { template: { spec: { containers: [{ name: 'c', image: 'v2' }] } } },
    })
    await until('updated', async () => {
      const { updatedReplicas, readyReplicas, currentRevision, updateRevision } = (await status()) ?? {}
      return made.length === 3 && updatedReplicas === 3 && readyReplicas === 3 && currentRevision === updateRevision
    })
    assert.deepEqual(made, ['db-2', 'db-1', 'db-0'])
    await client.delete(StatefulSets, namespace, 'db', { propagationPolicy: 'Background' })
    await until('gone', async () => (await listOf(client, Pods, 'db')).length === 0)
    assert.equal((await claim()).status.phase, 'Bound', 'claims outlive their set')
    await client.delete(PersistentVolumeClaims, namespace, 'data-db-1')
    await until('the volume goes with its claim', async () => (await volume()) === undefined)
  })

  test('a DaemonSet is on every node, also on one that comes later', async () => {
    const { spec } = deployment('ds', 0)
    await client.create<KubeObject>(DaemonSets, {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'ds', namespace },
      spec: { selector: spec.selector, template: spec.template },
    } as KubeObject)
    const nodes = async () =>
      (await listOf<Pod>(client, Pods, 'ds'))
        .map(({ spec }) => spec.nodeName)
        .sort()
        .join()
    await until('three', async () => (await nodes()) === 'node-1,node-2,node-3')
    await client.create(Nodes, readyNode('node-4'))
    await until('four', async () => (await client.get<Any>(DaemonSets, namespace, 'ds')).status?.numberAvailable === 4)
    await client.delete(Nodes, undefined, 'node-4')
    await client.delete(DaemonSets, namespace, 'ds', { propagationPolicy: 'Background' })
    await until('gone', async () =>
      (await listOf<Pod>(client, Pods, 'ds')).every(({ spec }) => spec.nodeName === 'node-4'),
    )
  })

  test('a Job completes, and goes when its time is over', async () => {
    const { template } = deployment('job', 0).spec
    const spec = {
      completions: 2,
      parallelism: 2,
      ttlSecondsAfterFinished: 1,
      template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } },
    }
    await client.create<KubeObject>(Jobs, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'job', namespace },
      spec,
    } as KubeObject)
    await until(
      'two pods',
      async () =>
        (await listOf<Pod>(client, Pods, 'job')).filter(({ status }) => status?.phase === 'Running').length === 2,
    )
    for (const { metadata } of await listOf<Pod>(client, Pods, 'job'))
      await client.patch(
        Pods,
        namespace,
        metadata.name,
        'merge',
        { status: { phase: 'Succeeded' } },
        { subresource: 'status' },
      )
    await until('complete', async () =>
      (await client.get<Any>(Jobs, namespace, 'job')).status?.conditions?.some((one: Any) => one.type === 'Complete'),
    )
    await until(
      'gone',
      async () =>
        (await client.find(Jobs, namespace, 'job')) === undefined && (await listOf(client, Pods, 'job')).length === 0,
    )
  })

  test('a pod that fits nowhere says why, and goes as soon as it can', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'picky', namespace },
      spec: { containers: [{ name: 'c', image: 'i' }], nodeSelector: { disk: 'ssd' } },
    }
    await client.create<KubeObject>(Pods, pod)
    const condition = async () =>
      (await client.get<Pod>(Pods, namespace, 'picky')).status?.conditions?.find(({ type }) => type === 'PodScheduled')
    await until('told', async () => (await condition())?.reason === 'Unschedulable')
    assert.equal(
      (await condition())?.message,
      "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    )
    await client.patch(Nodes, undefined, 'node-2', 'merge', { metadata: { labels: { disk: 'ssd' } } })
    await until('placed', async () => (await client.get<Pod>(Pods, namespace, 'picky')).spec.nodeName === 'node-2')
    await client.delete(Pods, namespace, 'picky', { gracePeriodSeconds: 0 })
  })

  test('a namespace goes with everything in it, and tells what holds it', async () => {
    const name = 'doomed'
    await client.create(Namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    const web = deployment('web', 3)
    await client.create(Deployments, { ...web, metadata: { name: 'web', namespace: name } })
    await client.create<KubeObject>(ConfigMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'held', namespace: name, finalizers: ['example.com/hold'] },
    })
    await until(
      'pods',
      async () =>
        (await client.list<Pod>(Pods, { namespace: name })).items.filter(({ status }) => status?.podIP).length === 3,
    )
    await client.delete(Namespaces, undefined, name)
    const held = async () =>
      (await client.get<Any>(Namespaces, undefined, name)).status?.conditions?.find(
        (one: Any) => one.type === 'NamespaceFinalizersRemaining',
      )
    await until(
      'only the held one is left',
      async () =>
        (await client.list(Pods, { namespace: name })).items.length === 0 && (await held())?.status === 'True',
    )
    assert.equal(
      (await held()).message,
      'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
    )
    await client.patch(ConfigMaps, name, 'held', 'merge', { metadata: { finalizers: null } })
    await until('gone', async () => (await client.find(Namespaces, undefined, name)) === undefined)
  })
})

test('a node whose heartbeat stops is unknown, and its pods leave the endpoints and then the node', async () => {
  const cluster = await startCluster({ nodeMonitorGracePeriodMs: 4000 }, 2)
  const { client } = cluster
  const renew = setInterval(() => {
    const metadata = { name: 'node-2', namespace: 'kube-node-lease' }
    const spec = { renewTime: new Date().toISOString() }
    client
      .patch(Leases, metadata.namespace, metadata.name, 'merge', { spec })
      .catch(() =>
        client.create<KubeObject>(Leases, {
          apiVersion: 'coordination.k8s.io/v1',
          kind: 'Lease',
          metadata,
          spec,
        } as KubeObject),
      )
      .catch(() => {})
  }, 100)
  const renewFirst = setInterval(() => {
    const status = { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() }] }
    client.patch(Nodes, undefined, 'node-1', 'merge', { status }, { subresource: 'status' }).catch(() => {})
  }, 100)
  try {
    const ready = async (name: string) =>
      (await client.get<Node>(Nodes, undefined, name)).status?.conditions?.find(({ type }) => type === 'Ready')
    const tolerations = [
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 },
    ]
    const web = deployment('web', 2)
    await client.create<KubeObject>(Services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    } as KubeObject)
    await client.create(Deployments, {
      ...web,
      spec: { ...web.spec, template: { ...web.spec.template, spec: { ...web.spec.template.spec, tolerations } } },
    })
    const nodesBehind = async () =>
      (await listOf<EndpointSlice>(client, EndpointSlices))
        .flatMap(({ endpoints }) => endpoints)
        .filter((e) => e.conditions?.ready)
        .map(({ nodeName }) => nodeName)
        .sort()
        .join()
    await until('both', async () => (await nodesBehind()) === 'node-1,node-2')
    clearInterval(renewFirst)
    await until('node-1 is unknown', async () => (await ready('node-1'))?.status === 'Unknown')
    await until('only node-2 or newer', async () => !(await nodesBehind()).includes('node-1'))
    const taints = (await client.get<Node>(Nodes, undefined, 'node-1')).spec?.taints?.map(
      ({ key, effect }) => `${key} ${effect}`,
    )
    assert.deepEqual(taints?.sort(), [
      'node.kubernetes.io/unreachable NoExecute',
      'node.kubernetes.io/unreachable NoSchedule',
    ])
    assert.equal((await ready('node-2'))?.status, 'True')
    await until('evicted and replaced', async () => (await nodesBehind()) === 'node-2,node-2')
    const status = { conditions: [{ type: 'Ready', status: 'True' }] }
    await client.patch(Nodes, undefined, 'node-1', 'merge', { status }, { subresource: 'status' })
    await until(
      'untainted',
      async () => (await client.get<Node>(Nodes, undefined, 'node-1')).spec?.taints?.length !== 2,
    )
  } finally {
    clearInterval(renew)
    clearInterval(renewFirst)
    await cluster.close()
  }
})

test('of two that want to lead one works, and the other takes over when it gives up', async () => {
  const cluster = await startCluster({ controllers: ['serviceaccount-controller'], leaderElect: true, identity: 'a' })
  const { client } = cluster
  const holder = async () => (await client.find<Any>(Leases, 'kube-system', 'plumb-controllers'))?.spec.holderIdentity
  try {
    await until('a leads', async () => (await holder()) === 'a')
    const other = await startControllers({
      client: cluster.connect(),
      options: { controllers: ['serviceaccount-controller'], leaderElect: true, identity: 'b' },
    })
    try {
      assert.equal(await holder(), 'a')
      await cluster.stopControllers()
      await until('b leads', async () => (await holder()) === 'b')
      await client.create(Namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'later' } })
      await until(
        'b works',
        async () => (await client.list<KubeObject>(ServiceAccounts, { namespace: 'later' })).items.length === 1,
      )
    } finally {
      await other.close()
    }
    assert.equal(await holder(), undefined)
  } finally {
    await cluster.close()
  }
})
