import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '../objects/index.ts'
import { expandName, explainName, searchPathOf } from './explain.ts'
import { pod, shop } from './shop.fixture.ts'
import { compileZone } from './zone.ts'

const zone = compileZone(shop())
const path = searchPathOf(pod('shop/client', '10.244.1.77'), 'cluster.local')

const cases: [name: string, says: RegExp, tried: number, object: string][] = [
  ['web', /^web is 10.96.0.5, fd00:96::5 \(as web.shop.svc.cluster.local\)/, 1, 'service/shop/web'],
  ['web.shop', /^web.shop is 10.96.0.5/, 2, 'service/shop/web'],
  ['web.shop.svc', /^web.shop.svc is 10.96.0.5/, 3, 'service/shop/web'],
  ['web.shop.svc.cluster.local.', /is 10.96.0.5/, 1, 'service/shop/web'],
  ['db-0.db', /is 10.244.1.5, fd00:244::5/, 1, 'endpointslice/shop/db-ipv4'],
  [
    'idle',
    /headless service\/shop\/idle has no ready endpoint; at last idle is outside cluster.local: an upstream/,
    4,
    'zone/cluster.local',
  ],
  ['idle.shop.svc.cluster.local.', /headless service\/shop\/idle has no ready endpoint/, 1, 'service/shop/idle'],
  [
    'db-2.db.shop.svc.cluster.local.',
    /no ready endpoint of service\/shop\/db has the hostname db-2/,
    1,
    'service/shop/db',
  ],
  ['nowhere.none.svc.cluster.local.', /there is no namespace\/none/, 1, 'namespace/none'],
  ['wbe.shop.svc.cluster.local.', /there is no service\/shop\/wbe/, 1, 'service/shop/wbe'],
  ['pending.shop.svc.cluster.local.', /exists and has no address/, 1, 'service/shop/pending'],
  ['address.shop.svc.cluster.local.', /is no host name/, 1, 'service/shop/address'],
  ['outside', /alias of www.example.com, outside cluster.local/, 1, 'service/shop/outside'],
  ['inside', /is 10.96.0.5/, 1, 'service/shop/inside'],
]
for (const [name, says, tried, object] of cases) {
  test(`explains ${name}`, () => {
    const answer = explainName(zone, name, path)
    assert.match(answer.says, says)
    assert.equal(answer.tried.length, tried)
    assert.equal(answer.tried.at(-1)?.because.object, object)
  })
}

test('ndots decides whether a name is tried as it is first or last', () => {
  const names = (name: string, ndots: number) => expandName(name, { searches: ['a.b', 'c'], ndots }).map((t) => t.name)
  assert.deepEqual(names('x', 1), ['x.a.b', 'x.c', 'x'])
  assert.deepEqual(names('x.y', 1), ['x.y', 'x.y.a.b', 'x.y.c'])
  assert.deepEqual(names('x.y.', 5), ['x.y'])
})

test('the search path follows dnsPolicy and dnsConfig', () => {
  const at = (spec: Partial<Pod['spec']>) => {
    const p = pod('shop/p', '10.0.0.1')
    return searchPathOf({ ...p, spec: { ...p.spec, ...spec } }, 'cluster.local')
  }
  const own = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local']
  assert.deepEqual(at({}), { searches: own, ndots: 5 })
  assert.deepEqual(at({ hostNetwork: true }), { searches: [], ndots: 1 })
  assert.deepEqual(at({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }).searches, own)
  const dnsConfig = { searches: ['corp.example'], options: [{ name: 'ndots', value: '2' }] }
  assert.deepEqual(at({ dnsConfig }), { searches: [...own, 'corp.example'], ndots: 2 })
  assert.deepEqual(at({ dnsPolicy: 'None', dnsConfig }), { searches: ['corp.example'], ndots: 2 })
})
