import assert from 'node:assert/strict'
import { test } from 'node:test'
import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { answerPacket } from './answer.ts'
import type { Forward } from './forward.ts'
import { service, shop, slice } from './shop.fixture.ts'
import { compileZone } from './zone.ts'

const zone = compileZone(shop())
const web = 'web.shop.svc.cluster.local'

function query(name: string, type: string, edns?: { size?: number; version?: number; do?: boolean }, id = 7): Buffer {
  return dnsPacket.encode({
    type: 'query',
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type: type as 'A', name }],
    additionals: edns && [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: edns.size ?? 1232,
        extendedRcode: 0,
        ednsVersion: edns.version ?? 0,
        flags: edns.do ? 0x8000 : 0,
        flag_do: edns.do ?? false,
        options: [],
      },
    ],
  })
}

function response(bytes: Uint8Array | Forward | undefined) {
  assert.ok(bytes instanceof Uint8Array)
  const packet = dnsPacket.decode(Buffer.from(bytes))
  // The types of dns-packet lack what it decodes.
  const { rcode } = packet as unknown as { rcode: string }
  return { ...packet, rcode, bytes, option: packet.additionals?.find((record) => record.type === 'OPT') }
}

function sent(result: Uint8Array | Forward | undefined): Forward {
  assert.ok(result !== undefined && 'kind' in result)
  return result
}

test('answers a query, repeating id, flags and the case of the name', () => {
  const reply = response(answerPacket(zone, query('WEB.shop.svc.Cluster.local', 'A'), 'udp'))
  assert.equal(reply.id, 7)
  assert.deepEqual(reply.questions, [{ name: 'WEB.shop.svc.Cluster.local', type: 'A', class: 'IN' }])
  assert.deepEqual(
    [reply.rcode, reply.flag_qr, reply.flag_aa, reply.flag_rd, reply.flag_ra, reply.flag_tc],
    ['NOERROR', true, true, true, false, false],
  )
  const [record] = reply.answers ?? []
  assert.deepEqual(record && 'data' in record && [record.name, record.type, record.ttl, record.data], [
    'WEB.shop.svc.Cluster.local',
    'A',
    5,
    '10.96.0.5',
  ])
  assert.equal(reply.option, undefined, 'no EDNS without being asked')
})

test('negative answers carry the SOA record with a TTL of 5', () => {
  for (const [name, type, code] of [
    ['nothing.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
    [web, 'TXT', 'NOERROR'],
  ] as const) {
    const reply = response(answerPacket(zone, query(name, type), 'udp'))
    assert.equal(reply.rcode, code)
    const [soa] = reply.authorities ?? []
    assert.ok(soa?.type === 'SOA')
    assert.deepEqual(
      [soa.name, soa.ttl, soa.data.minimum, soa.data.mname],
      ['cluster.local', 5, 5, 'ns.dns.cluster.local'],
    )
  }
})

test('every record type survives the wire', () => {
  const texts = (name: string, type: string) =>
    (response(answerPacket(zone, query(name, type), 'tcp')).answers ?? []).map((r) =>
      'data' in r ? JSON.stringify(r.data) : '',
    )
  assert.deepEqual(texts(web, 'AAAA'), ['"fd00:96::5"'])
  assert.match(
    texts('inside.shop.svc.cluster.local', 'A').join(),
    /"alias.shop.svc.cluster.local","WEB.shop.svc.cluster.local","10.96.0.5"/,
  )
  assert.match(
    texts('_http._tcp.web.shop.svc.cluster.local', 'SRV').join(),
    /"port":80,"target":"web.shop.svc.cluster.local"/,
  )
  assert.deepEqual(texts('5.0.96.10.in-addr.arpa', 'PTR'), [`"${web}"`])
  assert.match(texts('dns-version.cluster.local', 'TXT').join(), /1.1.0|data/)
  assert.deepEqual(texts('cluster.local', 'NS'), ['"ns.dns.cluster.local"'])
})

const refusals: [name: string, bytes: Uint8Array, code: string][] = [
  ['ANY', query(web, 'ANY'), 'REFUSED'],
  ['AXFR', query('cluster.local', 'AXFR'), 'REFUSED'],
  ['class CH', patched(query(web, 'A'), -1, 3), 'REFUSED'],
  ['a name outside', query('www.example.com', 'A'), 'REFUSED'],
  ['opcode NOTIFY', patched(query(web, 'A'), 2, 0x20), 'NOTIMP'],
  ['no question', query(web, 'A').subarray(0, 12), 'FORMERR'],
  ['two questions', patched(query(web, 'A'), 5, 2), 'FORMERR'],
  ['cut short', query(web, 'A').subarray(0, 20), 'FORMERR'],
  ['a pointer to itself', Uint8Array.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1]), 'FORMERR'],
]
for (const [name, bytes, code] of refusals) {
  test(`${code} for ${name}`, () => {
    const reply = response(answerPacket(zone, bytes, 'udp'))
    assert.equal(reply.rcode, code)
    assert.equal(reply.answers?.length, 0)
  })
}

test('responses and scraps are dropped: answering them could feed a loop', () => {
  assert.equal(answerPacket(zone, patched(query(web, 'A'), 2, 0x80), 'udp'), undefined)
  assert.equal(answerPacket(zone, new Uint8Array(11), 'udp'), undefined)
})

test('a refusal says why in an extended error (RFC 8914)', () => {
  const reply = response(answerPacket(zone, query('www.example.com', 'A', {}), 'udp'))
  assert.ok(reply.option?.type === 'OPT')
  const [error] = reply.option.options as { code: number; data: Buffer }[]
  assert.equal(error?.code, 15)
  assert.equal(error?.data.readUInt16BE(0), 20)
  assert.match(error?.data.toString('utf8', 2) ?? '', /only cluster.local is answered here/)
})

test('EDNS: version 0 only, payload size, DO repeated', () => {
  const bad = response(answerPacket(zone, query(web, 'A', { version: 1 }), 'udp'))
  assert.ok(bad.option?.type === 'OPT')
  assert.equal(bad.option.extendedRcode, 1)
  const good = response(answerPacket(zone, query(web, 'A', { do: true }), 'udp'))
  assert.ok(good.option?.type === 'OPT')
  assert.deepEqual([good.option.udpPayloadSize, good.option.flag_do], [1232, true])
})

function large(count: number) {
  const snapshot = shop()
  snapshot.put('services', 'shop/big', service('shop/big', { clusterIP: 'None' }))
  const endpoints = Array.from({ length: count }, (_, i) => ({ addresses: [`10.1.${i >> 8}.${i & 255}`] }))
  snapshot.put('slices', 'shop/big-ipv4', slice('shop/big', 'IPv4', endpoints))
  return compileZone(snapshot)
}

test('UDP is cut at what the client takes, with TC; TCP has all of it', () => {
  const big = large(2000)
  const name = 'big.shop.svc.cluster.local'
  const sizes: [size: number | undefined, least: number, most: number][] = [
    [undefined, 480, 512],
    [100, 480, 512],
    [900, 850, 900],
    [4096, 1200, 1232],
  ]
  for (const [size, least, most] of sizes) {
    const reply = response(answerPacket(big, query(name, 'A', size === undefined ? undefined : { size }), 'udp'))
    assert.ok(reply.bytes.length >= least && reply.bytes.length <= most, `${reply.bytes.length} for ${size}`)
    assert.equal(reply.flag_tc, true)
    assert.ok((reply.answers?.length ?? 0) > 20, 'names are compressed')
  }
  const whole = response(answerPacket(big, query(name, 'A'), 'tcp'))
  assert.deepEqual([whole.flag_tc, whole.answers?.length], [false, 2000])
  const beyond = response(answerPacket(large(5000), query(name, 'A'), 'tcp'))
  assert.ok(beyond.bytes.length <= 65_535)
  assert.equal(beyond.flag_tc, true)
})

test('addresses start at another one for each query', () => {
  const firsts = [0, 1, 2].map((id) => {
    const reply = response(answerPacket(zone, query('db.shop.svc.cluster.local', 'A', undefined, id), 'udp'))
    const [record] = reply.answers ?? []
    return record && 'data' in record ? record.data : ''
  })
  assert.deepEqual(firsts, ['10.244.1.5', '10.244.2.5', '10.244.3.6'])
})

test('with an upstream: names outside are passed on, its silence is SERVFAIL', () => {
  const asked = query('www.example.com', 'A', {}, 99)
  const forward = sent(answerPacket(zone, asked, 'udp', { upstream: true }))
  assert.deepEqual(Buffer.from(forward.query), asked)
  const upstream = dnsPacket.encode({
    type: 'response',
    id: 1234,
    questions: [{ type: 'A', name: 'www.example.com' }],
    answers: [{ type: 'A', name: 'www.example.com', ttl: 60, data: '192.0.2.53' }],
  })
  const reply = response(forward.finish(upstream))
  assert.deepEqual([reply.id, reply.answers?.length], [99, 1])
  assert.equal(response(forward.finish(undefined)).rcode, 'SERVFAIL')
  const huge = Buffer.concat([upstream, Buffer.alloc(2000)])
  assert.equal(response(forward.finish(huge)).flag_tc, true)
})

test('with an upstream: an ExternalName outside is completed', () => {
  const result = sent(
    answerPacket(zone, query('outside.shop.svc.cluster.local', 'A', undefined, 5), 'udp', { upstream: true }),
  )
  const asked = dnsPacket.decode(Buffer.from(result.query))
  assert.deepEqual(asked.questions, [{ name: 'www.example.com', type: 'A', class: 'IN' }])
  const upstream = (answers: dnsPacket.Answer[], flags = 0) =>
    dnsPacket.encode({ type: 'response', id: 5, flags, questions: asked.questions ?? [], answers })
  const reply = response(
    result.finish(
      upstream([
        { type: 'CNAME', name: 'www.example.com', ttl: 60, data: 'edge.example.net' },
        { type: 'A', name: 'edge.example.net', ttl: 30, data: '192.0.2.53' },
      ]),
    ),
  )
  assert.deepEqual(
    reply.answers?.map((r) => ('data' in r ? `${r.name} ${r.data}` : '')),
    [
      'outside.shop.svc.cluster.local www.example.com',
      'www.example.com edge.example.net',
      'edge.example.net 192.0.2.53',
    ],
  )
  assert.equal(response(result.finish(upstream([], 3))).rcode, 'NXDOMAIN')
  assert.equal(response(result.finish(undefined)).rcode, 'SERVFAIL')
  assert.equal(response(result.finish(Buffer.from('junk that is no packet'))).rcode, 'SERVFAIL')
})

test('never throws, whatever the bytes', () => {
  const mutated = fc
    .tuple(
      fc.constantFrom(
        'web.shop.svc.cluster.local',
        'db.shop.svc.cluster.local',
        'x.example',
        'outside.shop.svc.cluster.local',
      ),
      fc.constantFrom('A', 'SRV', 'PTR', 'ANY', 'SOA'),
      fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 6 }),
      fc.boolean(),
    )
    .map(([name, type, edits, edns]) => {
      const bytes = query(name, type, edns ? {} : undefined)
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
      return bytes as Uint8Array
    })
  const hostile = fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated)
  fc.assert(
    fc.property(
      hostile,
      fc.constantFrom('udp' as const, 'tcp' as const),
      fc.boolean(),
      hostile,
      (bytes, transport, upstream, reply) => {
        const result = answerPacket(zone, bytes, transport, { upstream })
        const final = result !== undefined && 'kind' in result ? result.finish(reply) : result
        if (final === undefined) return
        assert.ok(final.length >= 12 && final.length <= 65_535)
        assert.equal(final[0], bytes[0])
        assert.equal(final[1], bytes[1])
        if (transport === 'udp') assert.ok(final.length <= 1232)
      },
    ),
    { numRuns: 3000 },
  )
})

function patched(bytes: Buffer, at: number, value: number): Uint8Array {
  const copy = Buffer.from(bytes)
  copy[at < 0 ? copy.length + at : at] = value
  return copy
}
