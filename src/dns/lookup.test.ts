import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePrefix } from '../addr/index.ts'
import { answer } from './lookup.ts'
import type { ResourceRecord } from './record.ts'
import { findReverseAddress, reverseName, reverseZone } from './reverse.ts'
import { service, shop, slice } from './shop.fixture.ts'
import { compileZone, type ZoneOptions } from './zone.ts'

const c = 'cluster.local'
const svc = `svc.${c}`
const db0v6 = `5.${'0.'.repeat(23)}4.4.2.0.0.0.d.f.ip6.arpa`

function data(record: ResourceRecord): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.address
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return `${record.type} ${record.target}`
    case 'SRV':
      return `${record.weight} ${record.port} ${record.target}`
    case 'TXT':
      return record.texts.join()
    case 'SOA':
      return `SOA ${record.primary}`
    default:
      return record satisfies never
  }
}

/** `name type`, and the answers, NODATA, NXDOMAIN, FORWARD. */
function ask(name: string, type: string, options: ZoneOptions = {}): string[] {
  const result = answer(compileZone(shop(), options), { labels: name.split('.'), type })
  if (result.kind === 'forward') return ['FORWARD']
  for (const record of [...result.answers, ...result.additional]) assert.equal(record.ttl, 5)
  const words = result.answers.map(data)
  if (result.code !== 'NOERROR' || words.length === 0) {
    const [soa] = result.authority
    assert.equal(soa?.type, 'SOA')
    assert.ok(`${name.toLowerCase()}.`.endsWith(`${soa?.name}.`), 'the SOA record stands at or above the name')
  }
  if (result.outside !== undefined) words.push(`and ${result.outside}`)
  if (result.code === 'NXDOMAIN') words.push('NXDOMAIN')
  return words.length === 0 ? ['NODATA'] : words
}

const cases: [name: string, type: string, want: string[], options?: ZoneOptions][] = [
  // 2.2 to 2.3: schema version and ClusterIP Services
  [`dns-version.${c}`, 'TXT', ['1.1.0']],
  [`web.shop.${svc}`, 'A', ['10.96.0.5']],
  [`web.shop.${svc}`, 'AAAA', ['fd00:96::5']],
  [`WeB.Shop.SVC.${c.toUpperCase()}`, 'A', ['10.96.0.5']],
  [`web.shop.${svc}`, 'MX', ['NODATA']],
  [`plain.shop.${svc}`, 'AAAA', ['NODATA']],
  [`pending.shop.${svc}`, 'A', ['NODATA']],
  [`_http._tcp.web.shop.${svc}`, 'SRV', [`100 80 web.shop.${svc}`]],
  [`_dns._udp.web.shop.${svc}`, 'SRV', [`100 53 web.shop.${svc}`]],
  [`_http._udp.web.shop.${svc}`, 'SRV', ['NXDOMAIN']],
  [`_http._tcp.web.shop.${svc}`, 'A', ['NODATA']],
  [`_tcp.web.shop.${svc}`, 'SRV', ['NODATA']],
  [`_sctp.web.shop.${svc}`, 'SRV', ['NXDOMAIN']],
  [`_._tcp.plain.shop.${svc}`, 'SRV', ['NXDOMAIN']],
  [`web.shop.${svc}`, 'SRV', [`50 80 web.shop.${svc}`, `50 53 web.shop.${svc}`]],
  ['5.0.96.10.in-addr.arpa', 'PTR', [`PTR web.shop.${svc}`]],
  ['5.0.96.10.in-addr.arpa', 'A', ['NODATA']],
  // 2.4: headless Services
  [`db.shop.${svc}`, 'A', ['10.244.1.5', '10.244.2.5', '10.244.3.6']],
  [`db.shop.${svc}`, 'AAAA', ['fd00:244::5']],
  [`db-0.db.shop.${svc}`, 'A', ['10.244.1.5']],
  [`DB-0.db.shop.${svc}`, 'AAAA', ['fd00:244::5']],
  [`db-1.db.shop.${svc}`, 'AAAA', ['NODATA']],
  [`db-2.db.shop.${svc}`, 'A', ['NXDOMAIN']],
  [`10-244-3-6.db.shop.${svc}`, 'A', ['10.244.3.6']],
  [`10-244-1-9.web.shop.${svc}`, 'A', ['10.244.1.9']],
  [
    `_pg._tcp.db.shop.${svc}`,
    'SRV',
    [`33 5432 db-0.db.shop.${svc}`, `33 5432 db-1.db.shop.${svc}`, `33 5432 10-244-3-6.db.shop.${svc}`],
  ],
  [`idle.shop.${svc}`, 'A', ['NXDOMAIN']],
  ['5.1.244.10.in-addr.arpa', 'PTR', [`PTR db-0.db.shop.${svc}`]],
  ['6.3.244.10.in-addr.arpa', 'PTR', [`PTR 10-244-3-6.db.shop.${svc}`]],
  [db0v6, 'PTR', [`PTR db-0.db.shop.${svc}`]],
  ['9.1.244.10.in-addr.arpa', 'PTR', ['FORWARD']],
  ['5.3.244.10.in-addr.arpa', 'PTR', ['NXDOMAIN'], { reversePrefixes: [parsePrefix('10.244.0.0/16')] }],
  ['4.3.2.1.in-addr.arpa', 'PTR', ['FORWARD'], { reversePrefixes: [parsePrefix('10.244.0.0/16')] }],
  // 2.5: ExternalName
  [`outside.shop.${svc}`, 'A', ['CNAME www.example.com', 'and www.example.com']],
  [`outside.shop.${svc}`, 'CNAME', ['CNAME www.example.com']],
  [`inside.shop.${svc}`, 'A', [`CNAME alias.shop.${svc}`, `CNAME WEB.shop.${svc}`, '10.96.0.5']],
  [`dead.shop.${svc}`, 'A', [`CNAME nothing.shop.${svc}`, 'NXDOMAIN']],
  [`address.shop.${svc}`, 'A', ['NXDOMAIN']],
  [`x.outside.shop.${svc}`, 'A', ['NXDOMAIN']],
  [`loop.shop.${svc}`, 'A', Array(8).fill(`CNAME loop.shop.${svc}`)],
  // 2.6: pods
  [`1-2-3-4.shop.pod.${c}`, 'A', ['1.2.3.4']],
  [`1-2-3-4.shop.pod.${c}`, 'AAAA', ['NODATA']],
  [`fd00-244--5.shop.pod.${c}`, 'AAAA', ['fd00:244::5']],
  [`1-2-3-4.nowhere.pod.${c}`, 'A', ['NXDOMAIN']],
  [`web-0.shop.pod.${c}`, 'A', ['NXDOMAIN']],
  [`1-2-3-4.shop.pod.${c}`, 'A', ['NXDOMAIN'], { podRecords: 'disabled' }],
  [`1-2-3-4.shop.pod.${c}`, 'A', ['NXDOMAIN'], { podRecords: 'verified' }],
  [`10-244-1-9.shop.pod.${c}`, 'A', ['10.244.1.9'], { podRecords: 'verified' }],
  [`10-244-1-9.empty.pod.${c}`, 'A', ['NXDOMAIN'], { podRecords: 'verified' }],
  // names between
  [c, 'SOA', ['SOA ns.dns.cluster.local']],
  [c, 'NS', ['NS ns.dns.cluster.local']],
  [c, 'A', ['NODATA']],
  [`ns.dns.${c}`, 'A', ['10.96.0.10']],
  [svc, 'A', ['NODATA']],
  [`shop.${svc}`, 'A', ['NODATA']],
  [`empty.${svc}`, 'A', ['NODATA']],
  [`nowhere.${svc}`, 'A', ['NXDOMAIN']],
  [`nothing.shop.${svc}`, 'A', ['NXDOMAIN']],
  [`a.b.web.shop.${svc}`, 'A', ['NXDOMAIN']],
  [`_a._b._c.web.shop.${svc}`, 'SRV', ['NXDOMAIN']],
  [`web.shop.${c}`, 'A', ['NXDOMAIN']],
  ['www.example.com', 'A', ['FORWARD']],
  ['notcluster.local', 'A', ['FORWARD']],
  ['web.shop.svc.corp.example', 'A', ['10.96.0.5'], { clusterDomain: 'Corp.Example.' }],
]
for (const [name, type, want, options] of cases) {
  test(`${name} ${type}${options ? ` with ${JSON.stringify(options)}` : ''}`, () =>
    assert.deepEqual(ask(name, type, options), want))
}

test('the additional section of SRV holds the addresses of the targets', () => {
  const zone = compileZone(shop())
  const result = answer(zone, { labels: `_pg._tcp.db.shop.${svc}`.split('.'), type: 'SRV' })
  assert.ok(result.kind === 'answer')
  assert.deepEqual(
    result.additional.map((r) => `${r.name.split('.')[0]} ${data(r)}`),
    ['db-0 10.244.1.5', 'db-0 fd00:244::5', 'db-1 10.244.2.5', '10-244-3-6 10.244.3.6'],
  )
})

test('a zone follows its Services key by key, and forgets what they had', () => {
  const snapshot = shop()
  const zone = compileZone(snapshot)
  const first = (name: string, type: string) => {
    const result = answer(zone, { labels: name.split('.'), type })
    return result.kind === 'forward' ? 'FORWARD' : result.answers.map(data).join() || result.code
  }
  const { serial } = zone
  snapshot.put('services', 'shop/web', service('shop/web', { clusterIP: '10.96.0.7' }))
  snapshot.put('slices', 'shop/db-ipv4', slice('shop/db', 'IPv4', [{ addresses: ['10.244.7.7'], hostname: 'db-7' }]))
  for (const key of ['shop/web', 'shop/db']) zone.recompile(key)
  assert.ok(zone.serial > serial)
  assert.equal(first(`web.shop.${svc}`, 'A'), '10.96.0.7')
  assert.equal(first('7.0.96.10.in-addr.arpa', 'PTR'), `PTR web.shop.${svc}`)
  assert.equal(first('5.0.96.10.in-addr.arpa', 'PTR'), 'FORWARD')
  assert.equal(first(`db.shop.${svc}`, 'A'), '10.244.7.7')
  assert.equal(first('7.7.244.10.in-addr.arpa', 'PTR'), `PTR db-7.db.shop.${svc}`)
  assert.equal(first('5.1.244.10.in-addr.arpa', 'PTR'), 'FORWARD')
  for (const key of [...snapshot.services.keys()].filter((key) => key.startsWith('shop/'))) {
    snapshot.put('services', key, undefined)
    zone.recompile(key)
  }
  assert.equal(first(`shop.${svc}`, 'A'), 'NXDOMAIN')
  assert.equal(first('7.7.244.10.in-addr.arpa', 'PTR'), 'FORWARD')
})

test('reverse names', () => {
  for (const address of ['10.244.1.5', 'fd00:244::5', '::1']) {
    const name = reverseName(address as never)
    assert.equal(findReverseAddress(name.split('.')), address)
  }
  assert.equal(reverseName('fd00:244::5' as never), db0v6)
  assert.equal(reverseZone(parsePrefix('10.96.0.0/12')), '10.in-addr.arpa')
  assert.equal(reverseZone(parsePrefix('fd00:96::/112')).split('.').length, 30)
  for (const bad of ['256.0.0.1.in-addr.arpa', '01.0.0.1.in-addr.arpa', '1.0.0.in-addr.arpa', 'g.ip6.arpa'])
    assert.equal(findReverseAddress(bad.split('.')), undefined)
})
