import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, parseAddress, parsePrefix } from '../addr/index.ts'
import { ChangeFeed, LiveSnapshot } from '../cluster/index.ts'
import { FakeNftables, trace } from '../nft/index.ts'
import type { Egress, KubeObject, Node, Pod } from '../objects/index.ts'
import { explainExit } from './explain.ts'
import { indexOf } from './node-index.ts'
import { EgressTables } from './tables.ts'
import { marks } from './words.ts'

const cluster = ['10.244.0.0/16', '10.96.0.0/16', '172.30.0.0/28'].map(parsePrefix)
const own = [parsePrefix('10.244.1.0/24')]
const podAddresses = ['10.244.1.2', '10.244.1.3', '10.244.1.4'].map(parseAddress)
const exits = ['203.0.113.1', '203.0.113.2', '203.0.113.3'].map(parseAddress)
const destinations = ['198.51.100.1', '198.51.100.200', '192.0.2.1', '10.244.2.9', '10.96.0.10'].map(parseAddress)
const names = ['a', 'b', 'c']
const nodeNames = ['n1', 'n2', 'n3']
const addressesOf = (node: Node) => ({ 4: parseAddress(node.status?.addresses?.[0]?.address ?? '172.30.0.1') })

const selector = fc.constantFrom({}, { matchLabels: { team: 'x' } }, { matchLabels: { team: 'y' } }, undefined)
const spec: fc.Arbitrary<Egress['spec']> = fc.record(
  {
    appliedTo: fc
      .record({ podSelector: selector, namespaceSelector: selector })
      .map(({ podSelector, namespaceSelector }) => ({
        ...(podSelector && { podSelector }),
        ...(namespaceSelector && { namespaceSelector }),
      })),
    egressIPs: fc.subarray(exits.map(String), { minLength: 1 }),
    destinationCIDRs: fc.subarray(['198.51.100.0/24', '192.0.2.0/24', '2001:db8::/32'], { minLength: 1 }),
    excludedCIDRs: fc.subarray(['198.51.100.128/25', '192.0.2.0/24']),
    onUnavailable: fc.constantFrom('Drop' as const, 'Node' as const),
    ports: fc.constantFrom({ perNode: 1024 }, { perNode: 64, perPod: 32 }),
    bandwidth: fc.constantFrom({ rate: '1M' }),
  },
  { requiredKeys: ['appliedTo', 'egressIPs'] },
)
type Change = { readonly id: string } & (
  | { readonly kind: 'put'; readonly object: KubeObject }
  | { readonly kind: 'delete'; readonly of: 'Egress' | 'Pod' }
  | { readonly kind: 'owners'; readonly owners: readonly (string | undefined)[] }
)
const put = (object: KubeObject): Change => ({ kind: 'put', id: object.metadata.name, object })
const change: fc.Arbitrary<Change> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...names), spec, fc.constantFrom('2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'))
    .map(([name, of, created]) =>
      put({
        apiVersion: 'plumb.network/v1alpha1',
        kind: 'Egress',
        metadata: { name, creationTimestamp: created },
        spec: of,
      } as Egress),
    ),
  fc.constantFrom(...names).map((id): Change => ({ kind: 'delete', id, of: 'Egress' })),
  fc.tuple(fc.nat(2), fc.constantFrom({}, { team: 'x' }, { team: 'y' })).map(([i, labels]) =>
    put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `p${i}`, namespace: 'shop', labels },
      spec: { nodeName: 'n1', containers: [] },
      status: { phase: 'Running', podIPs: [{ ip: podAddresses[i] }] },
    } as unknown as Pod),
  ),
  fc.nat(2).map((i): Change => ({ kind: 'delete', id: `shop/p${i}`, of: 'Pod' })),
  fc
    .constantFrom<Record<string, string>>({}, { team: 'x' })
    .map((labels) => put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } })),
  fc.tuple(fc.constantFrom(...nodeNames), fc.option(fc.nat(70), { nil: undefined })).map(([name, index]) =>
    put({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name,
        ...(index === undefined ? {} : { annotations: { 'plumb.network/egress-index': String(index) } }),
      },
      status: { addresses: [{ type: 'InternalIP', address: `172.30.0.1${name.slice(1)}` }] },
    } as Node),
  ),
  fc
    .array(fc.option(fc.constantFrom(...nodeNames), { nil: undefined }), { minLength: 3, maxLength: 3 })
    .map((owners): Change => ({ kind: 'owners', id: '', owners })),
)
const collections: Record<string, string> = { Egress: 'egresses', Node: 'nodes', Pod: 'pods', Namespace: 'namespaces' }

class World {
  readonly feed = new ChangeFeed()
  readonly snapshot = new LiveSnapshot(this.feed)
  readonly tables = new EgressTables('n1')
  readonly kernel = new FakeNftables()
  owners: ReadonlyMap<Address, string> = new Map()
  #begun = false

  apply(one: Change): void {
    if (one.kind === 'owners') {
      this.owners = new Map(exits.flatMap((exit, i) => (one.owners[i] === undefined ? [] : [[exit, one.owners[i]]])))
      this.tables.setOwners(this.owners)
    } else if (one.kind === 'delete') this.snapshot.put(collections[one.of] as 'pods', one.id, undefined)
    else {
      const { namespace } = one.object.metadata
      const key = namespace === undefined ? one.id : `${namespace}/${one.id}`
      this.snapshot.put(collections[one.object.kind] as 'pods', key, one.object as Pod)
    }
  }

  round(): void {
    const changes = this.feed.take()
    const around = { cluster, own, addressesOf }
    const plan = this.tables.update(this.snapshot, around, this.#begun ? changes : undefined)
    this.kernel.apply(this.#begun ? plan.operations : this.tables.full())
    this.#begun = true
  }

  /** The kernel of a node that begins with what is there now. */
  fresh(): FakeNftables {
    const tables = new EgressTables('n1')
    tables.setOwners(this.owners)
    tables.update(this.snapshot, { cluster, own, addressesOf }, undefined)
    const kernel = new FakeNftables()
    kernel.apply(tables.full())
    return kernel
  }
}

/** Slots are kept as long as pods keep their addresses, so their numbers depend on the past; all else does not. */
function text(kernel: FakeNftables): string {
  const lines = kernel.tables.map((table) => {
    const chains = [...table.chains].map(([name, { rules }]) => `${name} ${JSON.stringify(rules)}`)
    const sets = [...table.sets].map(
      ([name, { elements }]) => `${name} ${[...elements.values()].map((e) => JSON.stringify(e)).sort()}`,
    )
    return [table.family, ...chains.sort(), ...sets.sort()].join('\n')
  })
  return lines
    .join('\n')
    .replace(/translate-\d+-/g, 'translate-N-')
    .replace(/:\d+-\d+"/g, ':PORTS"')
}

test('any sequence of changes ends as if the node had begun with its outcome, and explain says what the rules do', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), (rounds) => {
      const world = new World()
      world.apply({ kind: 'put', id: 'n1', object: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } } })
      world.tables.setOwners(new Map())
      world.round()
      for (const round of rounds) {
        for (const one of round) world.apply(one)
        world.round()
        judge(world)
      }
      const slots = [...world.snapshot.egresses.values()].some(({ spec: of }) => of.ports?.perPod !== undefined)
      if (!slots) assert.equal(text(world.kernel), text(world.fresh()))
    }),
    { numRuns: Number(process.env.PLUMB_RUNS ?? 300) },
  )
})

/** Holds what a packet of each pod meets against what is said of it. */
function judge(world: World): void {
  for (const pod of world.snapshot.pods.values()) {
    const source = parseAddress(pod.status?.podIPs?.[0]?.ip ?? '')
    for (const destination of destinations) {
      const result = trace(
        world.kernel,
        {
          family: 4,
          protocol: 'tcp',
          source,
          destination,
          sourcePort: 40000,
          destinationPort: 443,
          inputInterface: 'plumbaaaaaaaaaa',
          conntrack: { state: 'new' },
        },
        { from: 'wire', route: () => ({ outputInterface: 'eth0' }) },
      )
      const inside = destination.startsWith('10.')
      const needsNamespace = [...world.snapshot.egresses.values()].some(
        (one) => one.spec.appliedTo?.namespaceSelector !== undefined,
      )
      const undecided = needsNamespace && !world.snapshot.namespaces.has('shop')
      const is = `${result.outcome.kind} ${result.packet.source} ${((result.packet.mark ?? 0) >>> 0).toString(16)}`
      assert.equal(
        is,
        inside ? `sent ${source} 0` : undecided ? `dropped ${source} 0` : said(world, pod, source, destination, is),
      )
    }
  }
}

function said(world: World, pod: Pod, source: Address, destination: Address, is: string): string {
  const exit = explainExit(world.snapshot, pod, destination, {
    addressesOf,
    owners: world.owners,
    inCluster: () => undefined,
  })
  if (exit.kind === 'untouched') return `sent ${source} 0`
  // Whether a slot is free is the node's to know.
  const exhausted = world.tables.findings.some(
    ({ code, says }) => code === 'EgressPortsExhausted' && says.includes(`pod/shop/${pod.metadata.name} `),
  )
  if (exit.kind === 'blocked' || exhausted) return is.startsWith('dropped') ? is : 'dropped'
  const owner = world.snapshot.nodes.get(exit.owner ?? '')
  const index = exit.owner === 'n1' ? marks.own : ((owner && indexOf(owner)) ?? -1)
  return `sent ${exit.address} ${((marks.outwards | index) >>> 0).toString(16)}`
}
