import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { gatherOwners, renderOwners } from './owners.ts'

const address = parseAddress('192.0.2.7')
const node = (name: string, ready: 'True' | 'Unknown' = 'True'): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { conditions: [{ type: 'Ready', status: ready, reason: 'NodeStatusUnknown' }] },
  }) as KubeObject
const told = (name: string): KubeObject =>
  ({
    apiVersion: 'plumb.network/v1alpha1',
    kind: 'ServiceL2Status',
    metadata: { name: 'web-1', namespace: 'shop' },
    status: {
      node: name,
      serviceName: 'web',
      serviceNamespace: 'shop',
      address,
      interfaces: [],
      since: '',
      reason: '',
    },
  }) as KubeObject
const macs = new Map([['02:00:00:00:00:02', 'n2']])

const cases: readonly [string, readonly KubeObject[], readonly string[], RegExp][] = [
  [
    'the wire and the object agree',
    [node('n2'), told('n2')],
    [...macs.keys()],
    /✓ 192\.0\.2\.7: n2 answers, asked from n3 on eth0$/,
  ],
  [
    'another node answers than the one that says so',
    [node('n1'), node('n2'), told('n1')],
    [...macs.keys()],
    /✗ 192\.0\.2\.7: n2 answers, .*; servicel2status\/shop\/web-1 says that n1 announces it$/,
  ],
  [
    'nobody answers, and who was to is not heard of',
    [node('n1', 'Unknown'), told('n1')],
    [],
    /✗ 192\.0\.2\.7: nobody answers, .* says that n1 announces it, but n1 has not renewed its Lease \(NodeStatusUnknown\)$/,
  ],
  ['no object tells', [node('n2')], [...macs.keys()], /✓ 192\.0\.2\.7: n2 answers, asked from n3 on eth0$/],
]
for (const [name, objects, answers, expected] of cases)
  test(`who has an external address: ${name}`, () => {
    const answer = { kind: 'asked' as const, link: 'eth0', macs: answers, own: false }
    const owners = gatherOwners(snapshotOf(objects), address, [{ from: 'n3', node: 'n3', answer }], macs)
    assert.match(renderOwners([owners])[0] ?? '', expected)
  })
