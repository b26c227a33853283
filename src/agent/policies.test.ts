import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import type { Family } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { KubeObject, NetworkPolicy, Pod } from '../objects/index.ts'
import {
  arbitraryClusterSpec,
  arbitrarySpec,
  clusterPolicyObject,
  namespaceObject,
  policyObject,
} from '../policies/cluster.fixture.ts'
import { explainPolicies } from '../policies/index.ts'
import { type Agent, startAgent } from './index.ts'
import {
  buildRig,
  host,
  nodeObject,
  Objects,
  quietLog,
  type Rig,
  type Station,
  serveTcp,
  servicePrefixes,
} from './rig.fixture.ts'

const log = quietLog()
const ports = [8080, 9090] as const
let rig: Rig
let objects: Objects
let agent: Agent
const closing: { close(): void }[] = []

const start = (): Promise<Agent> =>
  startAgent({
    client: objects.client,
    host,
    namespace: rig.node,
    nodeName: 'node-1',
    options: { servicePrefixes, log, policies: 'strict' },
  })

const podOf = ({ name, addresses }: Station, labels: Record<string, string> = { app: name }): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'ns', labels },
  spec: { nodeName: 'node-1', containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }] },
  status: { phase: 'Running', podIPs: [{ ip: addresses[4] }, { ip: addresses[6] }] },
})
const stations = (): readonly Station[] => [rig.client, ...rig.backends]
const put = async (...some: KubeObject[]): Promise<void> => {
  for (const one of some) objects.put(one)
  await agent.settled()
}

before(async () => {
  rig = buildRig()
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  objects.put(namespaceObject('ns'))
  for (const station of [...stations(), rig.outsider]) {
    for (const family of [4, 6] as const) for (const port of ports) closing.push(serveTcp(station, family, port, true))
  }
  agent = await start()
  await agent.ready
})
beforeEach(async () => {
  for (const name of ['p', 'q']) objects.delete('NetworkPolicy', `ns/${name}`)
  objects.delete('ClusterNetworkPolicy', 'w')
  await put(...stations().map((one) => podOf(one)))
})
after(async () => {
  await agent.stop()
  for (const one of closing) one.close()
  rig.close()
})

/** Whether a connection is answered; silence is told from a refusal by the caller's proof that others answer. */
function connect(from: Station, to: Station, family: Family, port: number): Socket {
  const socket = new Socket({ fd: host.connectTcp(from.namespace, to.addresses[family], port).fd })
  socket.on('error', () => undefined)
  return socket
}

/** Which of these connections are answered. Denied ones are silent, so all are tried at once and the silent ones waited for alike. */
async function reached(
  tries: readonly { from: Station; to: Station; family: Family; port: number }[],
): Promise<string[]> {
  const sockets = tries.map(({ from, to, family, port }) => connect(from, to, family, port))
  const answered = sockets.map(
    (socket) =>
      new Promise<boolean>(
        (resolve) => void socket.once('data', () => resolve(true)).once('close', () => resolve(false)),
      ),
  )
  // On one machine an answer takes less than a millisecond; a SYN that was dropped comes again after a second.
  const timer = setTimeout(() => sockets.forEach((socket) => void socket.destroy()), 150)
  const results = await Promise.all(answered)
  clearTimeout(timer)
  for (const socket of sockets) socket.destroy()
  return tries.flatMap((one, index) =>
    results[index] ? [`${one.from.name}>${one.to.name} ${one.family} ${one.port}`] : [],
  )
}

const everyTry = (): { from: Station; to: Station; family: Family; port: number }[] => {
  const all = [...stations(), rig.outsider]
  return all.flatMap((from) =>
    all.flatMap((to) =>
      from === to ? [] : ([4, 6] as const).flatMap((family) => ports.map((port) => ({ from, to, family, port }))),
    ),
  )
}

const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })

test('what is explained is what real packets meet, in both families', async () => {
  await fc.assert(
    fc.asyncProperty(arbitrarySpec, optional(arbitrarySpec), optional(arbitraryClusterSpec), async (one, two, wide) => {
      const policies: KubeObject[] = [policyObject('p', one), ...(two === undefined ? [] : [policyObject('q', two)])]
      if (wide === undefined) objects.delete('ClusterNetworkPolicy', 'w')
      else policies.push(clusterPolicyObject('w', wide))
      objects.delete('NetworkPolicy', 'ns/q')
      const labels = [{ app: 'a' }, { app: 'b' }, {}]
      const pods = stations().map((station, index) => podOf(station, labels[index] as Record<string, string>))
      await put(...pods, ...policies)
      const snapshot = snapshotOf([nodeObject('node-1', rig), namespaceObject('ns'), ...pods, ...policies])
      const tries = everyTry()
      const wanted = tries.filter(({ from, to, family, port }) => {
        const question = {
          source: from.addresses[family],
          destination: to.addresses[family],
          protocol: 'tcp',
          port,
        } as const
        return explainPolicies(snapshot, question).denied === undefined
      })
      assert.deepEqual(
        await reached(tries),
        wanted.map((one) => `${one.from.name}>${one.to.name} ${one.family} ${one.port}`),
        JSON.stringify(policies),
      )
    }),
    { numRuns: 14 },
  )
})

const denyAll = (name: string): NetworkPolicy =>
  policyObject('p', { podSelector: { matchLabels: { app: name } }, policyTypes: ['Ingress', 'Egress'] })

for (const family of [4, 6] as const) {
  test(`IPv${family}: a policy cuts the live connections that it denies, and no others`, async () => {
    const [first, second] = rig.backends
    const denied = connect(rig.client, first, family, 8080)
    const kept = connect(rig.client, second, family, 8080)
    await Promise.all([once(denied, 'data'), once(kept, 'data')])
    await put(denyAll('backend-1'))
    kept.write('still here\n')
    const [echo] = (await once(kept, 'data')) as [Buffer]
    assert.equal(echo.toString(), 'still here\n')
    let heard = false
    denied.once('data', () => (heard = true))
    denied.write('anybody?\n')
    // The kept connection's next answer comes long after the denied one's would have.
    kept.write('again\n')
    await once(kept, 'data')
    assert.equal(heard, false)
    const address = first.addresses[family]
    const left = rig.node.network.connections({ family }).filter(({ reply }) => reply.source === address)
    assert.deepEqual(left, [])
    kept.destroy()
    denied.destroy()
  })

  test(`IPv${family}: a label that changes moves a pod out of what it was allowed`, async () => {
    const spec = {
      podSelector: { matchLabels: { app: 'backend-1' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }] }],
    }
    const [backend] = rig.backends
    const tries = [{ from: rig.client, to: backend, family, port: 8080 }]
    await put(policyObject('p', spec))
    assert.equal((await reached(tries)).length, 1)
    await put(podOf(rig.client, { app: 'other' }))
    assert.equal((await reached(tries)).length, 0)
    await put(podOf(rig.client))
    assert.equal((await reached(tries)).length, 1)
  })

  test(`IPv${family}: a pod that is not known is closed both ways, and its node still reaches it`, async () => {
    const [backend] = rig.backends
    objects.delete('Pod', 'ns/backend-1')
    await agent.settled()
    const tries = [
      { from: rig.client, to: backend, family, port: 8080 },
      { from: backend, to: rig.client, family, port: 8080 },
      { from: rig.outsider, to: backend, family, port: 8080 },
    ]
    assert.deepEqual(await reached(tries), [])
    const node: Station = { name: 'node', namespace: rig.node, addresses: rig.nodeAddresses }
    assert.equal((await reached([{ from: node, to: backend, family, port: 8080 }])).length, 1)
  })
}

test('a pod that comes to be denied by a cluster-wide policy loses its live connections', async (t) => {
  const [first, second] = rig.backends
  await put(
    clusterPolicyObject('w', {
      tier: 'Admin',
      priority: 1,
      subject: { namespaces: {} },
      ingress: [
        { action: 'Deny', from: [{ pods: { namespaceSelector: {}, podSelector: { matchLabels: { evil: 'yes' } } } }] },
      ],
    }),
  )
  const denied = connect(rig.client, first, 4, 8080)
  const kept = connect(second, first, 4, 8080)
  t.after(() => [denied, kept].forEach((socket) => void socket.destroy()))
  await Promise.all([once(denied, 'data'), once(kept, 'data')])
  await put(podOf(rig.client, { app: 'client', evil: 'yes' }))
  const left = rig.node.network.connections({ family: 4, protocol: 6 })
  const sources = left.filter(({ reply }) => reply.source === first.addresses[4]).map(({ original }) => original.source)
  assert.ok(!sources.includes(rig.client.addresses[4]), 'its entry is gone')
  kept.write('still here\n')
  const [echo] = (await once(kept, 'data')) as [Buffer]
  assert.equal(echo.toString(), 'still here\n')
  assert.deepEqual(await reached([{ from: rig.client, to: first, family: 4, port: 8080 }]), [])
})

test('a policy that goes in mid-connection leaves the connection, and opens what it closed', async (t) => {
  const [first, second] = rig.backends
  const spec = {
    podSelector: { matchLabels: { app: 'backend-1' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }] }],
  }
  await put(policyObject('p', spec))
  const kept = connect(rig.client, first, 4, 8080)
  t.after(() => void kept.destroy())
  await once(kept, 'data')
  assert.deepEqual(await reached([{ from: second, to: first, family: 4, port: 8080 }]), [])
  objects.delete('NetworkPolicy', 'ns/p')
  await agent.settled()
  assert.equal((await reached([{ from: second, to: first, family: 4, port: 8080 }])).length, 1)
  kept.write('still here\n')
  const [echo] = (await once(kept, 'data')) as [Buffer]
  assert.equal(echo.toString(), 'still here\n')
})

test('labels that change under load: the allowed connection never stops, the denied one is never answered', async (t) => {
  const [first, second] = rig.backends
  const spec = {
    podSelector: { matchLabels: { app: 'backend-1' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { role: 'friend' } } }] }],
  }
  const friend = (turn: number) => podOf(rig.client, { app: 'client', role: 'friend', turn: String(turn) })
  await put(policyObject('p', spec), friend(0))
  const kept = connect(rig.client, first, 4, 8080)
  t.after(() => void kept.destroy())
  await once(kept, 'data')
  const denied = reached([{ from: second, to: first, family: 4, port: 8080 }])
  for (let turn = 1; turn <= 60; turn++) {
    // Another profile, another selection of it, and a stranger that comes near and goes again.
    objects.put(friend(turn))
    objects.put(podOf(second, { app: 'backend-2', role: turn % 2 === 0 ? 'foe' : 'stranger' }))
    kept.write(`turn ${turn}\n`)
    const [echo] = (await once(kept, 'data')) as [Buffer]
    assert.equal(echo.toString(), `turn ${turn}\n`)
  }
  await agent.settled()
  assert.deepEqual(await denied, [])
})

test('an agent that starts anew opens nothing while it does', async () => {
  const [backend] = rig.backends
  await put(denyAll('backend-1'))
  const tries = [{ from: rig.client, to: backend, family: 4 as const, port: 8080 }]
  await agent.stop()
  assert.deepEqual(await reached(tries), [], 'without an agent')
  // The new one waits for its lists, and then replaces the tables in one transaction.
  let open: () => void = () => undefined
  objects.gate = new Promise((resolve) => (open = resolve))
  agent = await start()
  assert.deepEqual(await reached(tries), [], 'before its lists')
  const probing = (async () => {
    const found: string[] = []
    for (let i = 0; i < 4; i++) found.push(...(await reached(tries)))
    return found
  })()
  open()
  await agent.ready
  assert.deepEqual(await probing, [], 'meanwhile')
})

test('a pod is admitted when the kernel has its policies, by what CNI gave it, before its status tells', async () => {
  const [backend] = rig.backends
  objects.delete('Pod', 'ns/backend-1')
  await put(denyAll('backend-1'))
  const { status: _, ...young } = podOf(backend)
  const admitted = agent.admit('ns/backend-1', [backend.addresses[4], backend.addresses[6]])
  let done = false
  void admitted.then(() => (done = true))
  await agent.settled()
  assert.equal(done, false, 'a pod that no list has told of')
  await put(young)
  await admitted
  const { family, table } = { family: 'ip', table: 'plumb-policies' } as const
  const elements = await rig.node.network.elements(family, table, {
    name: 'ingress',
    key: ['ipv4_addr'],
    value: ['verdict'],
  })
  const verdict = elements.find(({ key }) => key === backend.addresses[4])?.value ?? ''
  assert.match(verdict, /^goto ingress-/)
})
