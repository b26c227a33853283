import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import { type Rule, renderRule } from '../nft/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import { compileService, explainService, lowerService, ServiceTables } from './index.ts'
import { maglevTable, spread, tableSize } from './maglev.ts'
import { endpoint, service, slice } from './objects.fixture.ts'
import { placeEndpoints } from './place.ts'

const node = { name: 'n1', zone: undefined, addresses: [], nodePortAddresses: [] }
const equal = (count: number) => Array.from({ length: count }, (_, i) => ({ target: `10.244.0.${i} . 80`, weight: 1 }))

const counts = (table: readonly string[]): Map<string, number> => {
  const found = new Map<string, number>()
  for (const target of table) found.set(target, (found.get(target) ?? 0) + 1)
  return found
}

test('a Maglev table is full, fair, the same for any order, and follows weights', () => {
  for (const count of [1, 2, 3, 10, 20, 100]) {
    const table = maglevTable(equal(count))
    assert.equal(table.length, tableSize(count))
    const found = counts(table)
    const fair = table.length / count
    for (const [target, slots] of found)
      assert.ok(Math.abs(slots - fair) <= fair * 0.02 + 1, `${count} ${target} ${slots}`)
    assert.equal(found.size, count)
    assert.deepEqual(maglevTable(equal(count).reverse()), table)
  }
  const table = maglevTable([
    { target: 'a', weight: 3 },
    { target: 'b', weight: 1 },
    { target: 'c', weight: 0 },
  ])
  const found = counts(table)
  assert.ok(Math.abs((found.get('a') ?? 0) / table.length - 0.75) < 0.01, `${found.get('a')}`)
  assert.equal(found.get('c'), undefined)
})

test('when an endpoint goes, little more than its own slots change', () => {
  for (const count of [3, 10, 20]) {
    const before = maglevTable(equal(count))
    for (let gone = 0; gone < count; gone++) {
      const after = maglevTable(equal(count).filter((_, i) => i !== gone))
      const moved = before.filter((target, slot) => target !== after[slot] && target !== equal(count)[gone]!.target)
      assert.ok(moved.length < before.length * 0.1, `${count} without ${gone}: ${moved.length} of ${before.length}`)
    }
  }
})

test('weights are spread by the smallest whole numbers, within what one port can have', () => {
  const of = (...weights: number[]) =>
    spread(
      weights.map((weight, i) => ({ target: `${i}`, weight })),
      10,
    ).join('')
  assert.equal(of(1, 1), '01')
  assert.equal(of(50, 100), '011')
  assert.equal(of(2, 0, 2), '02')
  assert.equal(of(0, 0), '01')
  assert.equal(of(99, 1), '0000000001')
})

test('an endpoint of many places gives up and takes as few as it must', () => {
  assert.deepEqual(placeEndpoints(['a', 'a', 'b'], ['a', 'b', 'b']), ['a', 'b', 'b'])
  assert.deepEqual(placeEndpoints(['a', 'b', 'b', 'c'], ['b', 'c']), ['c', 'b'])
  assert.deepEqual(placeEndpoints(['a'], ['a', 'a', 'c']), ['a', 'a', 'c'])
})

const annotated = (value: string, spec: Partial<Service['spec']> = {}): Service =>
  service('web', '10.96.0.1', spec, { annotations: { 'plumb.network/load-balancing': value } })
const weighted = (annotations: Record<string, string>): EndpointSlice => {
  const made = slice([endpoint(1), endpoint(2), endpoint(3)])
  return { ...made, metadata: { ...made.metadata, annotations } }
}

test('what is wrong with annotations is a finding, and the Service is served by chance and evenly', () => {
  const codes = (one: Service, ...slices: EndpointSlice[]) =>
    compileService(one, slices, node).findings.map(({ code, field }) => `${code} ${field}`)
  assert.deepEqual(codes(annotated('maglev'), weighted({ 'plumb.network/weight': '7' })), [])
  assert.deepEqual(codes(annotated('best')), [
    'UnknownLoadBalancing metadata.annotations[plumb.network/load-balancing]',
  ])
  assert.deepEqual(codes(annotated('maglev', { sessionAffinity: 'ClientIP' })), [
    'LoadBalancingIgnored metadata.annotations[plumb.network/load-balancing]',
  ])
  for (const weight of ['-1', '101', 'x', '']) {
    const broken = weighted({ 'plumb.network/weight': weight })
    assert.deepEqual(codes(annotated('random'), broken), ['BrokenWeight metadata.annotations[plumb.network/weight]'])
  }
  assert.deepEqual(codes(annotated('random'), weighted({ 'plumb.network/weights': '10.244.0.1=2,oops' })), [
    'BrokenWeight metadata.annotations[plumb.network/weights]',
  ])
})

test('explained: shares by weight, nothing to weight 0, and by what the hash goes', () => {
  const annotations = { 'plumb.network/weights': '10.244.0.1=3,10.244.0.2=0' }
  const model = compileService(annotated('maglev-source-address'), [weighted(annotations)], node)
  const answer = explainService(
    { source: parseAddress('10.244.9.9'), destination: parseAddress('10.96.0.1'), protocol: 'tcp', port: 80 },
    { node, models: [model], podPrefixes: [parsePrefix('10.244.0.0/16')], ownPodPrefixes: [], servicePrefixes: [] },
  )
  assert.ok(answer.outcome.kind === 'balance')
  assert.deepEqual(
    answer.outcome.targets.map(({ address, share }) => `${address} ${share.one}/${share.of}`),
    ['10.244.0.1 3/4', '10.244.0.3 1/4'],
  )
  const says = answer.steps.map((step) => step.says)
  assert.ok(says.includes('by weight over 3 endpoints'), says.join())
  assert.ok(
    says.some((one) => one.startsWith('a hash of the client’s address finds')),
    says.join(),
  )
})

test('the chains of a table compute a place, for policy Local too, and nft takes them', () => {
  for (const [value, by] of [
    ['maglev', 'ip saddr . th sport'],
    ['maglev-source-address', 'ip saddr'],
  ] as const) {
    const made = annotated(value, {
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }],
    })
    const tables = new ServiceTables([4])
    const own = { ...node, nodePortAddresses: [parseAddress('172.30.0.11')] }
    const model = compileService(made, [slice([endpoint(1), endpoint(2, undefined, 'n2')])], own)
    tables.absorb([[model.key, lowerService(model, 'n1')]])
    const { operations } = tables.full()
    const rules = operations.flatMap((one) => (one.kind === 'add-rule' ? [one] : []))
    const textOf = (chain: string) =>
      rules.filter((one) => one.chain === chain).map(({ rule }: { rule: Rule }) => renderRule('ip', rule))
    const kind = value === 'maglev' ? 'connection' : 'source-address'
    const compute = `meta priority set jhash ${by} mod 2039 seed 0x706c756d`
    assert.deepEqual(textOf(`lb-${kind}-2039`), [`${compute} goto translate`])
    assert.deepEqual(textOf(`local-${kind}-2039`), ['jump inside', `${compute} goto translate-local`])
    const loaded = spawnSync('unshare', ['-n', 'nft', '-c', '-f', '-'], {
      input: `table ip t {\n chain translate {\n }\n chain a {\n ${compute} goto translate\n }\n}\n`,
      encoding: 'utf8',
    })
    assert.equal(loaded.status, 0, loaded.stderr)
  }
})

test('explained: endpoints that terminate, and when their connections are cut', () => {
  const made = service('web', '10.96.0.1', {}, { annotations: { 'plumb.network/drain-seconds': '30' } })
  const ending = { ready: false, serving: true, terminating: true }
  const says = (...endpoints: EndpointSlice['endpoints']) => {
    const model = compileService(made, [slice(endpoints)], node)
    const question = { source: parseAddress('10.244.9.9'), destination: parseAddress('10.96.0.1'), port: 80 }
    const context = { node, models: [model], podPrefixes: [], ownPodPrefixes: [], servicePrefixes: [] }
    return explainService({ ...question, protocol: 'tcp' }, context).steps.map((step) => step.says)
  }
  const told = 'connections to endpoints that terminate are cut 30 s after that began'
  assert.ok(says(endpoint(1), endpoint(2, ending)).includes(told))
  assert.ok(!says(endpoint(1)).includes(told))
})
