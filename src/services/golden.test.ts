import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { families, parseAddress, parsePrefix } from '../addr/index.ts'
import { type Element, type Operation, type Rule, renderTable, type Table } from '../nft/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import { compileService, lowerService, ServiceTables, tableOf } from './index.ts'
import { endpoint, service, slice } from './objects.fixture.ts'

const nodeAddresses = ['172.30.0.11', 'fd00:30::11'].map(parseAddress)
const ready = { ready: true, serving: true, terminating: false }
const v6 = (number: number): EndpointSlice['endpoints'][number] => ({
  addresses: [`fd00:244::${number}`],
  conditions: ready,
  nodeName: 'n1',
})

/** A Service of type LoadBalancer whose balancer gave it 198.51.100.1. */
const balanced = (spec: Partial<Service['spec']>): Service => ({
  ...service('web', '10.96.0.1', {
    type: 'LoadBalancer',
    ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }],
    externalIPs: ['198.51.100.9'],
    ...spec,
  }),
  status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }, { ip: '198.51.100.2', ipMode: 'Proxy' }] } },
})
const two = slice([endpoint(1), endpoint(2, ready, 'n2')])

/** Each case is a list of Services with their slices, as node n1 sees them. */
const cases: Readonly<Record<string, readonly [Service, ...EndpointSlice[]][]>> = {
  empty: [],
  'dual-stack': [
    [
      service('web', '10.96.0.1', {
        clusterIPs: ['10.96.0.1', 'fd00:96::1'],
        ports: [
          { name: 'http', port: 80, protocol: 'TCP' },
          { name: 'dns', port: 53, protocol: 'UDP' },
        ],
      }),
      slice([endpoint(1), endpoint(2, ready, 'n2'), endpoint(3)], { port: { name: 'http', port: 8080 } }),
      slice([v6(1)], { name: 'web-6', type: 'IPv6', port: { name: 'http', port: 8080 } }),
      slice([endpoint(1)], { name: 'web-dns', port: { name: 'dns', port: 5353, protocol: 'UDP' } }),
    ],
  ],
  external: [[balanced({ loadBalancerSourceRanges: ['192.0.2.0/24', '172.30.0.0/16'] }), two]],
  'external-local': [[balanced({ externalTrafficPolicy: 'Local' }), two]],
  affinity: [[balanced({ externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP' }), two]],
  weighted: [
    [
      service('web', '10.96.0.1'),
      { ...two, metadata: { ...two.metadata, annotations: { 'plumb.network/weights': '10.244.0.1=6,10.244.0.2=4' } } },
    ],
  ],
  refusals: [
    [service('unserved', '10.96.0.9', { type: 'NodePort', ports: [{ port: 80, nodePort: 30009, protocol: 'TCP' }] })],
    [
      service('elsewhere', '10.96.0.8', {
        type: 'NodePort',
        externalTrafficPolicy: 'Local',
        ports: [{ port: 80, nodePort: 30008, protocol: 'TCP' }],
      }),
      slice([endpoint(9, ready, 'n2')], { service: 'elsewhere' }),
    ],
    [service('nobody', '10.96.0.2')],
    [
      service('remote', '10.96.0.3', { internalTrafficPolicy: 'Local' }),
      slice([endpoint(9, ready, 'n2')], { service: 'remote' }),
    ],
    [
      service('sctp', '10.96.0.4', { ports: [{ port: 9, protocol: 'SCTP' }] }),
      slice([endpoint(4)], { service: 'sctp', port: { port: 9, protocol: 'SCTP' } }),
    ],
  ],
}

function build(name: string): readonly Operation[] {
  const tables = new ServiceTables()
  tables.rescope({
    podPrefixes: [parsePrefix('10.244.0.0/16'), parsePrefix('fd00:244::/56')],
    ownPodPrefixes: [parsePrefix('10.244.0.0/24'), parsePrefix('fd00:244::/64')],
    servicePrefixes: [parsePrefix('10.96.0.0/16'), parsePrefix('fd00:96::/112')],
  })
  const models = (cases[name] ?? []).map(([one, ...slices]) =>
    compileService(one, slices, {
      name: 'n1',
      zone: undefined,
      addresses: nodeAddresses,
      nodePortAddresses: nodeAddresses,
    }),
  )
  tables.absorb(models.map((model) => [model.key, lowerService(model, 'n1')]))
  return tables.full().operations
}

/** The text of what operations on empty tables leave. */
function render(operations: readonly Operation[]): string {
  return families
    .map((family) => {
      const { family: tableFamily, table: name } = tableOf(family)
      const own = operations.filter((operation) => operation.family === tableFamily)
      const rules = (chain: string): Rule[] =>
        own.flatMap((one) => (one.kind === 'add-rule' && one.chain === chain ? [one.rule] : []))
      const table: Table = {
        family: tableFamily,
        name,
        sets: own.flatMap((one) => (one.kind === 'add-set' ? [one.set] : [])),
        chains: own.flatMap((one) =>
          one.kind === 'add-chain' ? [{ ...one.chain, rules: rules(one.chain.name) }] : [],
        ),
      }
      const elements = new Map<string, Element[]>()
      for (const one of own) {
        if (one.kind === 'add-elements')
          elements.set(one.set.name, [...(elements.get(one.set.name) ?? []), ...one.elements])
      }
      for (const some of elements.values()) some.sort((a, b) => (a.key < b.key ? -1 : 1))
      return renderTable(table, elements)
    })
    .join('')
}

for (const name of Object.keys(cases)) {
  test(`golden: ${name}`, () => {
    const path = join(import.meta.dirname, 'testdata', `${name}.nft`)
    const text = render(build(name))
    if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(path, text)
    assert.equal(text, readFileSync(path, 'utf8'), 'UPDATE_GOLDEN=1 writes what is rendered now')
    const { status, stderr } = spawnSync('unshare', ['-n', 'nft', '-c', '-f', path], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  })
}
