import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '../objects/index.ts'
import { renderHostsFile } from './hosts-file.ts'
import { renderResolvConf } from './resolv-conf.ts'

const resolver = {
  clusterAddresses: ['10.96.0.10', 'fd00:96::a'],
  clusterDomain: 'cluster.local',
  own: '# of the machine\nnameserver 192.0.2.1\nsearch example.com\noptions edns0\n',
}

const cases: readonly (readonly [string, Partial<Pod['spec']>, string])[] = [
  [
    'ClusterFirst',
    {},
    'search shop.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.96.0.10\nnameserver fd00:96::a\noptions ndots:5\n',
  ],
  ['Default', { dnsPolicy: 'Default' }, 'search example.com\nnameserver 192.0.2.1\noptions edns0\n'],
  [
    'ClusterFirst on the host network',
    { hostNetwork: true },
    'search example.com\nnameserver 192.0.2.1\noptions edns0\n',
  ],
  [
    'ClusterFirstWithHostNet',
    { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' },
    'search shop.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.96.0.10\nnameserver fd00:96::a\noptions ndots:5\n',
  ],
  [
    'None',
    {
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: ['1.1.1.1'],
        searches: ['a.b'],
        options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
      },
    },
    'search a.b\nnameserver 1.1.1.1\noptions ndots:2 rotate\n',
  ],
  [
    'dnsConfig over ClusterFirst: at most three nameservers, options by name',
    { dnsConfig: { nameservers: ['10.96.0.10', '1.1.1.1', '2.2.2.2'], options: [{ name: 'ndots', value: '1' }] } },
    'search shop.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.96.0.10\nnameserver fd00:96::a\nnameserver 1.1.1.1\noptions ndots:1\n',
  ],
]

function pod(spec: Partial<Pod['spec']>): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-0', namespace: 'shop' },
    spec: { containers: [], ...spec },
  }
}

for (const [name, spec, text] of cases) {
  test(`resolv.conf: ${name}`, () => {
    assert.equal(renderResolvConf(pod(spec), resolver), text)
  })
}

test('hosts: a subdomain gives the full name; aliases follow', () => {
  const subject = pod({ subdomain: 'web', hostAliases: [{ ip: '192.0.2.7', hostnames: ['a', 'b'] }] })
  const lines = renderHostsFile(subject, ['10.244.1.2', 'fd00::2'], 'cluster.local').split('\n')
  assert(lines.includes('10.244.1.2\tweb-0.web.shop.svc.cluster.local\tweb-0'))
  assert(lines.includes('fd00::2\tweb-0.web.shop.svc.cluster.local\tweb-0'))
  assert(lines.includes('192.0.2.7\ta\tb'))
})
