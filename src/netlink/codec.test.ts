import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, addressAt, type Family, findPrefix, parseAddress } from '../addr/index.ts'
import {
  type AddressMessage,
  AttributeWriter,
  type ConnectionMessage,
  connectionEvent,
  conntrackTcpStates,
  decodeAddress,
  decodeConnection,
  decodeLink,
  decodeLinkIndex,
  decodeNeighbour,
  decodeRoute,
  decodeRule,
  decodeSocket,
  type LinkMessage,
  type Message,
  type NeighbourMessage,
  NLM_F_CREATE,
  type RouteMessage,
  type RuleMessage,
  readMessages,
  type SocketMessage,
  writeAddress,
  writeConnection,
  writeLink,
  writeNeighbour,
  writeNetfilterHeader,
  writeRoute,
  writeRule,
  writeSocket,
} from './index.ts'

function message(write: (writer: AttributeWriter) => void, type = 16, flags = 0): Message {
  const writer = new AttributeWriter(64)
  const start = writer.beginMessage(type, flags, 1)
  write(writer)
  writer.endMessage(start)
  const [only] = readMessages(writer.result())
  return only!
}

/** IPv4-mapped IPv6 is no address of its own, so `addr` refuses it. */
const addressOf = (family: Family): fc.Arbitrary<Address> =>
  fc
    .bigInt({ min: 0n, max: family === 4 ? 0xffffffffn : (1n << 128n) - 1n })
    .map((value) => addressAt(family, value))
    .filter((address) => !address.startsWith('::ffff:'))
const family = fc.constantFrom<Family>(4, 6)
const address = family.chain(addressOf)
const prefixOf = (f: Family) =>
  fc.tuple(addressOf(f), fc.nat(f === 4 ? 32 : 128)).map(([a, n]) => findPrefix(`${a}/${n}`, true)!)
const u8 = fc.nat(0xff)
const u32 = fc.nat(0xffffffff)
const index = fc.nat(0x7fffffff)
const port = fc.nat(0xffff)
const name = fc.stringMatching(/^[a-z][a-z0-9.@-]{0,14}$/)
const mac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':'))
const plain = { noNullPrototype: true } as const

const linkFields = { name, mtu: u32, mac, lower: index, master: index, alias: name, namespaceFd: index }
const bareLink = fc.record(
  { index, up: fc.boolean(), carrier: fc.boolean(), ...linkFields },
  { requiredKeys: ['index', 'up', 'carrier'], ...plain },
)
const info: fc.Arbitrary<NonNullable<LinkMessage['info']>> = fc.oneof(
  fc.record({ kind: fc.constant('veth' as const), peer: bareLink }, { requiredKeys: ['kind'], ...plain }),
  fc.record({ kind: fc.constant('bridge' as const) }, plain),
  fc.record(
    {
      kind: fc.constant('vxlan' as const),
      id: fc.nat(0xffffff),
      local: address,
      port,
      lower: index,
      learning: fc.boolean(),
    },
    { requiredKeys: ['kind', 'id', 'port', 'learning'], ...plain },
  ),
  fc.record({ kind: fc.constant('other' as const), name: fc.constantFrom('tun', 'macvlan') }, plain),
)
const link: fc.Arbitrary<LinkMessage> = fc.oneof(
  bareLink,
  fc.tuple(bareLink, info).map(([bare, kind]) => ({ ...bare, info: kind })),
)

test('links', () => {
  fc.assert(
    fc.property(link, (expected) => {
      const encoded = message((writer) => writeLink(writer, expected))
      assert.deepEqual(decodeLink(encoded), expected)
      assert.equal(decodeLinkIndex(encoded), expected.index)
    }),
  )
})

test('addresses', () => {
  const arbitrary: fc.Arbitrary<AddressMessage> = fc.record(
    { address, prefixLength: fc.nat(128), linkIndex: u32, flags: u32, scope: u8 },
    plain,
  )
  fc.assert(
    fc.property(arbitrary, (expected) => {
      assert.deepEqual(decodeAddress(message((writer) => writeAddress(writer, expected))), expected)
    }),
  )
})

test('routes, also with a gateway of the other family', () => {
  const arbitrary = family.chain(
    (f): fc.Arbitrary<RouteMessage> =>
      fc.record(
        {
          destination: prefixOf(f),
          gateway: address,
          linkIndex: u32,
          source: addressOf(f),
          scope: u8,
          type: u8,
          table: u32,
          metric: u32,
          protocol: u8,
          mtu: u32,
          flags: u32,
        },
        { requiredKeys: ['destination', 'scope', 'type', 'table', 'protocol', 'flags'], ...plain },
      ),
  )
  fc.assert(
    fc.property(arbitrary, (expected) => {
      assert.deepEqual(decodeRoute(message((writer) => writeRoute(writer, expected))), expected)
    }),
  )
})

test('rules', () => {
  const arbitrary = family.chain(
    (f): fc.Arbitrary<RuleMessage> =>
      fc.record(
        {
          family: fc.constant(f),
          priority: u32,
          table: u32,
          action: u8,
          from: prefixOf(f),
          to: prefixOf(f),
          mark: u32,
          markMask: u32,
          inputInterface: name,
          protocol: u8,
        },
        { requiredKeys: ['family', 'priority', 'table', 'action'], ...plain },
      ),
  )
  fc.assert(
    fc.property(arbitrary, (expected) => {
      assert.deepEqual(decodeRule(message((writer) => writeRule(writer, expected))), expected)
    }),
  )
})

test('neighbours and forwarding entries', () => {
  const arbitrary: fc.Arbitrary<NeighbourMessage> = fc.record(
    { address, linkIndex: index, mac, state: fc.nat(0xffff), flags: u8, forwarding: fc.boolean() },
    { requiredKeys: ['linkIndex', 'state', 'flags', 'forwarding'], ...plain },
  )
  fc.assert(
    fc.property(arbitrary, (expected) => {
      assert.deepEqual(decodeNeighbour(message((writer) => writeNeighbour(writer, expected))), expected)
    }),
  )
})

const tuple = (f: Family) =>
  fc.record({ source: addressOf(f), destination: addressOf(f), sourcePort: port, destinationPort: port }, plain)
const connection = fc.tuple(family, fc.constantFrom(1, 6, 17, 58, 132)).chain(
  ([f, protocol]): fc.Arbitrary<ConnectionMessage> =>
    fc.record(
      {
        family: fc.constant(f),
        protocol: fc.constant(protocol),
        original: tuple(f),
        reply: tuple(f),
        mark: u32,
        status: u32,
        timeoutSeconds: u32,
        ...(protocol === 6 ? { tcpState: fc.constantFrom(...conntrackTcpStates) } : {}),
        zone: port,
      },
      { requiredKeys: ['family', 'protocol', 'original', 'reply', 'mark', 'status'], ...plain },
    ),
)

test('connections', () => {
  fc.assert(
    fc.property(connection, (expected) => {
      const encoded = message((writer) => {
        writeNetfilterHeader(writer, expected.family === 4 ? 2 : 10)
        writeConnection(writer, expected)
      })
      // IPS_OFFLOAD, which is told in words too.
      const told = (expected.status & 0x4000) === 0 ? expected : { ...expected, offloaded: true }
      assert.deepEqual(decodeConnection(encoded), told)
      assert.deepEqual(decodeConnection(encoded, expected.protocol), told)
      assert.equal(decodeConnection(encoded, 99), undefined)
    }),
  )
})

test('events of connections', () => {
  const event = (type: number, flags: number) => connectionEvent(message(() => {}, type, flags))
  assert.equal(event(0x100, NLM_F_CREATE), 'new')
  assert.equal(event(0x100, 0), 'update')
  assert.equal(event(0x102, 0), 'destroy')
  assert.equal(event(0x101, 0), undefined)
})

test('sockets', () => {
  const arbitrary = family.chain(
    (f): fc.Arbitrary<SocketMessage> =>
      fc.record(
        {
          family: fc.constant(f),
          state: u8,
          address: addressOf(f),
          port,
          ...(f === 6 ? { v6only: fc.boolean() } : {}),
        },
        { requiredKeys: ['family', 'state', 'address', 'port'], ...plain },
      ),
  )
  fc.assert(
    fc.property(arbitrary, (expected) => {
      assert.deepEqual(decodeSocket(message((writer) => writeSocket(writer, expected))), expected)
    }),
  )
})

test('a socket bound to an IPv4-mapped address counts as IPv4', () => {
  const encoded = message((writer) => {
    writeSocket(writer, { family: 6, state: 10, address: parseAddress('::'), port: 80, v6only: false })
    writer.view.set([0xff, 0xff, 10, 0, 0, 1], 16 + 8 + 10)
  })
  assert.deepEqual(decodeSocket(encoded), { family: 4, state: 10, address: '10.0.0.1', port: 80 })
})

test('messages of other families are left out', () => {
  const foreign = message((writer) => writer.reserve(72))
  for (const decode of [decodeRoute, decodeRule, decodeSocket, decodeAddress, decodeConnection]) {
    assert.equal(decode(foreign), undefined)
  }
})
