import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, contains, familyOf, parseAddress, parsePrefix } from '../addr/index.ts'
import { ChangeFeed, LiveSnapshot } from '../cluster/index.ts'
import { FakeNftables, type Trace, trace } from '../nft/index.ts'
import { arbitraryChange, type Change } from './cluster.fixture.ts'
import { explainPolicies } from './explain.ts'
import { PolicyTables } from './index.ts'

const prefixes = [parsePrefix('10.244.1.0/24'), parsePrefix('fd00:244:0:1::/64')]
const pods4 = [2, 3, 4, 5, 6, 7].map((i) => parseAddress(`10.244.${i < 5 ? 1 : 2}.${i}`))
/** Node 1 itself. */
const nodeItself: readonly Address[] = ['172.30.0.11', 'fd00:30::11'].map(parseAddress)
const pods6 = [2, 3, 4, 5, 6, 7].map((i) => parseAddress(`fd00:244:0:${i < 5 ? 1 : 2}::${i}`))
const addresses = [
  ...pods4,
  ...pods6,
  ...['203.0.113.10', '203.0.113.11', '172.30.0.12', '10.244.1.99', '2001:db8:113::10', 'fd00:30::12'].map(
    parseAddress,
  ),
]
const probes = [
  ['tcp', 80],
  ['tcp', 8080],
  ['udp', 8080],
  ['tcp', 1500],
  ['tcp', 65535],
  ['sctp', 9],
  ['icmp', 0],
] as const

/** Random clusters per property; the long run asks for more. */
const runs = Number(process.env.PLUMB_RUNS ?? 100)

/** A node beside a fake kernel that gets every change as a round of its own. */
class World {
  readonly feed = new ChangeFeed()
  readonly snapshot = new LiveSnapshot(this.feed)
  readonly tables = new PolicyTables('node-1')
  readonly kernel = new FakeNftables()

  constructor() {
    this.tables.setOwnPrefixes(prefixes)
    this.tables.update(this.snapshot)
    this.kernel.apply(this.tables.full().operations)
  }

  take({ kind, key, object }: Change): void {
    this.snapshot.put(kind as 'pods', key, object as never)
    this.kernel.apply(this.tables.update(this.snapshot, this.feed.take()).operations)
  }

  trace(source: Address, destination: Address, protocol: string, port: number): Trace {
    const icmp = protocol === 'icmp'
    const v4 = familyOf(source) === 4
    const packet = {
      family: familyOf(source),
      source,
      destination,
      ...(icmp
        ? { protocol: v4 ? 'icmp' : 'ipv6-icmp', icmpType: 'echo-request' }
        : { protocol, sourcePort: 40000, destinationPort: port }),
      inputInterface: 'veth0',
      conntrack: { state: 'new' as const, direction: 'original' as const },
    }
    const route = (to: Address) => (nodeItself.includes(to) ? ('host' as const) : { outputInterface: 'eth0' })
    return trace(this.kernel, packet, { from: 'wire', route })
  }
}

const isOwn = (address: Address): boolean => prefixes.some((prefix) => contains(prefix, address))

function check(world: World, source: Address, destination: Address, [protocol, port]: (typeof probes)[number]): void {
  const question = { source, destination, protocol, port, toOwnNode: nodeItself.includes(destination) }
  const explained = explainPolicies(world.snapshot, question)
  const sides = explained.sides.filter(({ address }) => isOwn(address))
  const toNode = nodeItself.includes(destination)
  // A pod's address that nobody knows yet is nobody's who could ask the node.
  const unknown = !toNode && [source, destination].some((one) => isOwn(one) && !world.tables.knows(one))
  const denied = unknown || (source !== destination && sides.some(({ verdict }) => verdict.kind === 'deny'))
  const traced = world.trace(source, destination, protocol, port)
  const live = world.tables.judge(source, destination, protocol, port)
  const agree =
    traced.outcome.kind === (denied ? 'dropped' : toNode ? 'delivered' : 'sent') &&
    // The node's addresses are known by its Node alone.
    (unknown || (toNode && !world.snapshot.nodes.has('node-1')) || live.some(({ kind }) => kind === 'deny') === denied)
  if (agree) return
  const story = { source, destination, protocol, port, unknown, explained, steps: traced.steps, live }
  assert.fail(JSON.stringify(story, (_, value) => (typeof value === 'bigint' ? String(value) : value), 1))
}

test('what is explained is what a packet meets, whatever changed before', () => {
  fc.assert(
    fc.property(fc.array(arbitraryChange, { minLength: 4, maxLength: 14 }), (changes) => {
      const world = new World()
      for (const change of changes) world.take(change)
      for (const source of addresses) {
        for (const destination of [...addresses, ...nodeItself]) {
          if (familyOf(source) !== familyOf(destination)) continue
          if (!isOwn(source) && !isOwn(destination)) continue
          for (const probe of probes) check(world, source, destination, probe)
        }
      }
    }),
    { numRuns: runs },
  )
})

test('changes one by one end where a fresh start ends, and nothing is left when all are gone', () => {
  fc.assert(
    fc.property(fc.array(arbitraryChange, { minLength: 2, maxLength: 16 }), (changes) => {
      const world = new World()
      for (const change of changes) world.take(change)
      const fresh = new PolicyTables('node-1')
      fresh.setOwnPrefixes(prefixes)
      fresh.update(world.snapshot)
      const kernel = new FakeNftables()
      kernel.apply(fresh.full().operations)
      assert.deepEqual(describe(world.kernel), describe(kernel))
      for (const { kind, key } of changes) world.take({ kind, key, object: undefined })
      assert.deepEqual(describe(world.kernel), describe(new World().kernel))
      assert.deepEqual(world.tables.size, { chains: 0, sets: 0, pods: 0 })
    }),
    { numRuns: runs },
  )
})

/** What a kernel holds, in an order of its own. */
function describe(kernel: FakeNftables): unknown {
  return [...kernel.state()].map(([name, { table, elements }]) => [
    name,
    [...table.chains].sort((a, b) => (a.name < b.name ? -1 : 1)),
    [...table.sets]
      .map(({ name: set }) => [
        set,
        [...(elements.get(set)?.values() ?? [])].map(({ key, value }) => `${key} ${value ?? ''}`).sort(),
      ])
      .sort(),
  ])
}
