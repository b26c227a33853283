import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Client } from '../client/index.ts'
import type { KubeEvent, Node, Pod } from '../objects/index.ts'
import { slowStart } from './batch.ts'
import { openEventRecorder } from './events.ts'
import { openExpectations } from './expectations.ts'
import { openRooms } from './node-room.ts'
import { choosePlace } from './placement.ts'
import { openQueue } from './queue.ts'

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('queue', () => {
  test('a key is worked on once for many additions, and again when added meanwhile', async () => {
    let running = 0
    const seen: string[] = []
    let release: () => void = () => {}
    const queue = openQueue({
      name: 'q',
      async work(key) {
        assert.equal(++running, 1, 'one worker per key')
        seen.push(key)
        await new Promise<void>((resolve) => {
          release = resolve
        })
        running--
      },
    })
    queue.add('a')
    queue.add('a')
    queue.start()
    queue.add('a')
    await settle()
    assert.deepEqual(seen, ['a'])
    queue.add('a')
    queue.add('a')
    release()
    await settle()
    assert.deepEqual(seen, ['a', 'a'])
    release()
    await queue.idle()
    assert.deepEqual(seen, ['a', 'a'])
  })
  test('failures are tried again, later each time, and others go on', async () => {
    const attempts: number[] = []
    const done = Promise.withResolvers<void>()
    const queue = openQueue({
      name: 'q',
      async work(key) {
        if (key === 'bad' && attempts.length < 3) throw new Error('no')
        if (key === 'bad') done.resolve()
      },
      onError: (_, __, attempt) => attempts.push(attempt),
    })
    queue.start()
    queue.add('bad')
    queue.add('good')
    await done.promise
    assert.deepEqual(attempts, [1, 2, 3])
    await queue.close()
  })
  test('closing waits for the work under way and starts no more', async () => {
    let ended = false
    const seen: string[] = []
    const queue = openQueue({
      name: 'q',
      workers: 1,
      async work(key) {
        seen.push(key)
        await settle()
        ended = true
      },
    })
    queue.start()
    queue.add('a')
    queue.add('b')
    await Promise.resolve()
    await Promise.resolve()
    await queue.close()
    assert.equal(ended, true)
    assert.deepEqual(seen, ['a'])
  })
})

describe('expectations', () => {
  test('owed until seen, failed or expired', () => {
    let now = 0
    const expectations = openExpectations(() => now)
    assert.equal(expectations.satisfied('k'), true)
    expectations.expectCreations('k', 2)
    expectations.expectDeletions('k', ['u'])
    for (const pay of [
      () => expectations.creationSeen('k'),
      () => expectations.deletionSeen('k', 'u'),
      () => expectations.deletionSeen('k', 'u'),
    ]) {
      pay()
      assert.equal(expectations.satisfied('k'), false)
    }
    expectations.creationSeen('k')
    assert.equal(expectations.satisfied('k'), true)
    expectations.expectCreations('k', 1)
    now = 5 * 60_000 + 1
    assert.equal(expectations.satisfied('k'), true)
  })
  test('a refusal of the first costs one call', async () => {
    let calls = 0
    const { succeeded, error } = await slowStart(100, async () => {
      calls++
      throw new Error('quota')
    })
    assert.deepEqual([calls, succeeded, (error as Error).message], [1, 0, 'quota'])
    const sizes: number[] = []
    let inFlight = 0
    await slowStart(20, async () => {
      sizes.push(++inFlight)
      await settle()
      inFlight--
    })
    assert.deepEqual([sizes.length, Math.max(...sizes)], [20, 8])
  })
})

describe('events', () => {
  const recorder = () => {
    const created: KubeEvent[] = []
    const patched: unknown[] = []
    const client = {
      async create(_: unknown, event: KubeEvent) {
        created.push(event)
        return event
      },
      async patch(...args: unknown[]) {
        patched.push(args[4])
        return args[4]
      },
    } as unknown as Client
    return { events: openEventRecorder(client, () => 1_700_000_000_000), created, patched }
  }
  const about = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'd', uid: 'u' } }
  test('repeated ones are counted, different ones are not', async () => {
    const { events, created, patched } = recorder()
    events.record(about, 'Normal', 'R', 'one', 'c')
    events.record(about, 'Normal', 'R', 'one', 'c')
    events.record(about, 'Normal', 'R', 'two', 'c')
    await events.flush()
    assert.deepEqual(
      created.map(({ message, count }) => [message, count]),
      [
        ['one', 2],
        ['two', 1],
      ],
    )
    events.record(about, 'Normal', 'R', 'one', 'c')
    await events.flush()
    assert.equal(created.length, 2)
    assert.equal((patched[0] as KubeEvent).count, 3)
  })
  test('one object may not flood', async () => {
    const { events, created } = recorder()
    for (let i = 0; i < 100; i++) events.record(about, 'Normal', 'R', `message ${i}`, 'c')
    await events.flush()
    assert.equal(created.length, 25)
  })
})

describe('scheduler', () => {
  const node = (name: string, spec: Node['spec'] = {}, labels: Record<string, string> = {}): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
  })
  const pod = (name: string, spec: object = {}, owner = 'o', labels: Record<string, string> = { app: 'a' }): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'd',
      labels,
      ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: owner, uid: owner, controller: true }],
    },
    spec: { containers: [], ...spec },
  })
  const place = (wanted: Pod, nodes: Node[], placed: [Pod, string][] = []) => {
    const rooms = openRooms()
    for (const one of nodes) rooms.setNode(one.metadata.name, one)
    for (const [one, where] of placed) rooms.setPod(`d/${one.metadata.name}`, one, where)
    const result = choosePlace(wanted, rooms.all())
    return result.kind === 'place' ? result.nodeName : result.message
  }
  const hostPort = (hostPort: number, hostIP?: string) => ({
    containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort, ...(hostIP && { hostIP }) }] }],
  })
  const zone = (z: string) => ({ zone: z })
  const asks = (cpu: string, memory: string) => ({
    containers: [{ name: 'c', image: 'i', resources: { requests: { cpu, memory } } }],
  })
  const roomy: Node = { ...node('r'), status: { allocatable: { cpu: '2', memory: '2Gi', pods: '10' } } }
  const spread = {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'a' } },
      },
    ],
  }
  const apart = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'a' } } },
        ],
      },
    },
  }
  const together = {
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'b' } } },
        ],
      },
    },
  }
  const required = (operator: string, ...values: string[]) => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator, values }] }],
        },
      },
    },
  })
  const preferred = {
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 5, preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: ['b'] }] } },
        ],
      },
    },
  }
  const a = node('a', {}, zone('a'))
  const b = node('b', {}, zone('b'))
  for (const [what, wanted, nodes, placed, want] of [
    ['no nodes', pod('p'), [], [], 'no nodes available to schedule pods'],
    [
      'fewest of the same owner',
      pod('p'),
      [a, b],
      [
        [pod('x'), 'a'],
        [pod('y', {}, 'other'), 'b'],
        [pod('z', {}, 'other'), 'b'],
      ],
      'b',
    ],
    ['then fewest at all', pod('p'), [a, b], [[pod('y', {}, 'other'), 'a']], 'b'],
    ['cordoned', pod('p'), [node('a', { unschedulable: true }), b], [], 'b'],
    [
      'all cordoned',
      pod('p'),
      [node('a', { unschedulable: true })],
      [],
      '0/1 nodes are available: 1 node(s) were unschedulable.',
    ],
    [
      'tainted',
      pod('p'),
      [node('a', { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] })],
      [],
      '0/1 nodes are available: 1 node(s) had untolerated taint {k: v}.',
    ],
    [
      'tolerated',
      pod('p', { tolerations: [{ key: 'k', operator: 'Equal', value: 'v' }] }),
      [node('a', { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] })],
      [],
      'a',
    ],
    ['softly tainted', pod('p'), [node('a', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }), b], [], 'b'],
    ['required In', pod('p', required('In', 'b', 'c')), [a, b], [], 'b'],
    ['required NotIn', pod('p', required('NotIn', 'a')), [a, b], [], 'b'],
    ['required Gt', pod('p', required('Gt', '5')), [node('a', {}, zone('5')), node('b', {}, zone('10'))], [], 'b'],
    ['preferred', pod('p', preferred), [a, b], [[pod('x'), 'b']], 'b'],
    [
      'host port in use',
      pod('p', hostPort(80)),
      [a, b],
      [
        [pod('x', hostPort(80, '127.0.0.1')), 'a'],
        [pod('y', {}, 'q'), 'b'],
        [pod('z', {}, 'q'), 'b'],
      ],
      'b',
    ],
    ['other address', pod('p', hostPort(80, '10.0.0.1')), [a], [[pod('x', hostPort(80, '10.0.0.2')), 'a']], 'a'],
    ['spread by zone', pod('p', spread), [a, b, node('b2', {}, zone('b'))], [[pod('x'), 'b']], 'a'],
    [
      'spread impossible',
      pod('p', { ...spread, nodeSelector: { x: 'y' } }),
      [node('a', {}, { zone: 'a', x: 'y' }), node('n', {}, { x: 'y' })],
      [[pod('x'), 'a']],
      'a',
    ],
    [
      'apart',
      pod('p', apart),
      [a],
      [[pod('x'), 'a']],
      "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
    ],
    ['together', pod('p', together), [a, b], [[pod('x', {}, 'o', { app: 'b' }), 'b']], 'b'],
    [
      'together with nobody',
      pod('p', together),
      [a],
      [],
      "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
    ],
    ['fits exactly', pod('p', asks('600m', '1Gi')), [roomy], [[pod('x', asks('1400m', '1Gi')), 'r']], 'r'],
    [
      'too little of two things',
      pod('p', asks('601m', '1025Mi')),
      [roomy, node('c', { unschedulable: true })],
      [[pod('x', asks('1400m', '1Gi')), 'r']],
      '0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) were unschedulable.',
    ],
    [
      'an init container asks for more than the others together',
      pod('p', { ...asks('1', '0'), initContainers: asks('3', '0').containers }),
      [roomy],
      [],
      '0/1 nodes are available: 1 Insufficient cpu.',
    ],
    [
      'what no node has',
      pod('p', { containers: [{ name: 'c', resources: { limits: { 'example.com/gpu': '1' } } }] }),
      [roomy],
      [],
      '0/1 nodes are available: 1 Insufficient example.com/gpu.',
    ],
    [
      'many reasons',
      pod('p', { nodeSelector: { x: 'y' } }),
      [a, b, node('c', { unschedulable: true })],
      [],
      "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector.",
    ],
  ] as [string, Pod, Node[], [Pod, string][], string][])
    test(what, () => assert.equal(place(wanted, nodes, placed), want))
})
