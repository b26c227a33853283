import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { AdminNetworkPolicy, ClusterNetworkPolicy, KubeObject } from '../objects/index.ts'
import {
  arbitraryClusterSpec,
  clusterPolicyObject,
  namespaceObject,
  nodeObject,
  podObject,
  policyObject,
} from './cluster.fixture.ts'
import { compileClusterPolicy } from './compile-cluster.ts'
import { explainPolicies } from './explain.ts'

type Spec = ClusterNetworkPolicy['spec']
const web = { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } } }
const client = { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'client' } } } }
const everybody = { namespaces: {} }
const world: readonly KubeObject[] = [
  nodeObject(1, { role: 'control-plane' }),
  nodeObject(2),
  namespaceObject('ns'),
  namespaceObject('other', { team: 'x' }),
  podObject('web', { labels: { app: 'web' }, index: 2, ports: [{ name: 'http', port: 8080 }] }),
  podObject('client', { labels: { app: 'client' }, index: 3, node: 2 }),
  podObject('stranger', { namespace: 'other', labels: { app: 'client' }, index: 4, node: 2 }),
  podObject('own', { labels: { app: 'web' }, hostNetwork: true }),
]
const at: Readonly<Record<string, string>> = {
  web: '10.244.1.2',
  client: '10.244.2.3',
  stranger: '10.244.2.4',
  outside: '203.0.113.10',
  'node-1': '172.30.0.11',
  'node-2': '172.30.0.12',
}

interface Case {
  readonly policies: readonly (Partial<Spec> | KubeObject)[]
  /** `FROM>TO PROTOCOL/PORT`, allowed. */
  readonly allowed: readonly string[]
  readonly denied: readonly string[]
}

const npDeny = policyObject('deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
const npAllow = policyObject('allow', { podSelector: {}, ingress: [{}], egress: [{}] })

const cases: Readonly<Record<string, Case>> = {
  'no rule isolates nobody': { policies: [{}], allowed: ['client>web tcp/1'], denied: [] },
  'Accept of the admin tier comes before NetworkPolicies': {
    policies: [npDeny, { subject: web, ingress: [{ action: 'Accept', from: [client], protocols: [{ tcp: {} }] }] }],
    allowed: ['stranger>web tcp/1'],
    denied: ['stranger>web udp/1', 'client>web tcp/1'],
  },
  'Deny of the admin tier cannot be allowed': {
    policies: [npAllow, { subject: web, ingress: [{ action: 'Deny', from: [client] }] }],
    allowed: ['outside>web tcp/1'],
    denied: ['client>web tcp/1', 'stranger>web icmp/0'],
  },
  'Pass leaves the rest of its tier to NetworkPolicies': {
    policies: [
      { priority: 1, subject: web, ingress: [{ action: 'Pass', from: [client] }] },
      { priority: 2, subject: web, ingress: [{ action: 'Deny', from: [everybody] }] },
    ],
    allowed: ['client>web tcp/1', 'outside>web tcp/1'],
    denied: [],
  },
  'the lower priority number comes first, whatever the order of names': {
    policies: [
      { priority: 9, subject: web, ingress: [{ action: 'Deny', from: [everybody] }] },
      {
        priority: 0,
        subject: web,
        ingress: [{ action: 'Accept', from: [{ namespaces: { matchLabels: { team: 'x' } } }] }],
      },
    ],
    allowed: ['stranger>web tcp/1'],
    denied: ['client>web tcp/1'],
  },
  'the first rule that matches decides': {
    policies: [
      {
        subject: web,
        ingress: [
          { action: 'Accept', from: [everybody], protocols: [{ destinationNamedPort: 'http' }] },
          { action: 'Deny', from: [everybody] },
        ],
      },
    ],
    allowed: ['client>web tcp/8080', 'outside>web tcp/1'],
    denied: ['client>web udp/8080', 'client>web tcp/80'],
  },
  'the baseline tier holds where NetworkPolicies select nobody': {
    policies: [{ tier: 'Baseline', subject: everybody, ingress: [{ action: 'Deny', from: [everybody] }] }],
    allowed: ['outside>web tcp/1'],
    denied: ['client>web tcp/1'],
  },
  'NetworkPolicies are final': {
    policies: [npAllow, { tier: 'Baseline', subject: everybody, ingress: [{ action: 'Deny', from: [everybody] }] }],
    allowed: ['client>web tcp/1'],
    denied: [],
  },
  'an audited NetworkPolicy does not keep the baseline tier away': {
    policies: [
      { ...npAllow, metadata: { ...npAllow.metadata, annotations: { 'plumb.network/audit': 'true' } } },
      { tier: 'Baseline', subject: web, ingress: [{ action: 'Deny', from: [everybody] }] },
    ],
    allowed: [],
    denied: ['client>web tcp/1'],
  },
  'nodes are their addresses, networks are any': {
    policies: [
      {
        subject: web,
        egress: [
          { action: 'Deny', to: [{ nodes: { matchLabels: { role: 'control-plane' } } }] },
          { action: 'Deny', to: [{ networks: ['203.0.113.0/24', '10.244.2.3/32'] }], protocols: [{ udp: {} }] },
        ],
      },
    ],
    allowed: ['web>node-2 tcp/6443', 'web>outside tcp/1', 'web>stranger udp/1'],
    denied: ['web>node-1 tcp/6443', 'web>outside udp/1', 'web>client udp/1'],
  },
  'ranges of ports have both ends': {
    policies: [
      {
        subject: web,
        egress: [
          {
            action: 'Deny',
            to: [everybody],
            protocols: [{ tcp: { destinationPort: { range: { start: 10, end: 20 } } } }],
          },
        ],
      },
    ],
    allowed: ['web>client tcp/9', 'web>client tcp/21', 'web>client sctp/15'],
    denied: ['web>client tcp/10', 'web>client tcp/20'],
  },
  'a peer of a newer API: Accept accepts nothing, Deny and Pass deny everything': {
    policies: [
      { priority: 1, subject: client, egress: [{ action: 'Accept', to: [{ clouds: {} } as object] }] },
      { priority: 2, subject: client, egress: [{ action: 'Deny', to: [everybody] }] },
      { priority: 3, subject: web, egress: [{ action: 'Pass', to: [{ clouds: {} } as object] }] },
    ],
    allowed: ['client>outside tcp/1'],
    denied: ['client>web tcp/1', 'web>outside tcp/1', 'web>client icmp/0'],
  },
  'names accept nothing of which DNS has told no address': {
    policies: [
      { priority: 1, subject: web, egress: [{ action: 'Accept', to: [{ domainNames: ['example.com'] }] }] },
      { priority: 2, subject: web, egress: [{ action: 'Deny', to: [{ networks: ['0.0.0.0/0'] }] }] },
    ],
    allowed: [],
    denied: ['web>outside tcp/443'],
  },
}

function verdicts(policies: Case['policies'], flows: readonly string[]): boolean[] {
  const objects = policies.map((one, index) =>
    'kind' in one
      ? (one as KubeObject)
      : clusterPolicyObject(`p${index}`, { tier: 'Admin', priority: 5, subject: everybody, ...(one as Partial<Spec>) }),
  )
  const snapshot = snapshotOf([...world, ...objects])
  return flows.map((flow) => {
    const [, from = '', to = '', protocol = '', port] = /^(.+)>(\S+) (\w+)\/(\d+)$/.exec(flow) ?? []
    const answer = explainPolicies(snapshot, {
      source: parseAddress(at[from]!),
      destination: parseAddress(at[to]!),
      protocol: protocol as 'tcp',
      port: Number(port),
    })
    return answer.denied === undefined
  })
}

for (const [name, { policies, allowed, denied }] of Object.entries(cases)) {
  test(name, () => {
    const got = (flows: readonly string[], want: boolean) =>
      verdicts(policies, flows).flatMap((one, index) => (one === want ? [] : [flows[index]]))
    assert.deepEqual(got(allowed, true), [], 'allowed')
    assert.deepEqual(got(denied, false), [], 'denied')
  })
}

test('what cannot be read is told with field and remedy', () => {
  const broken: readonly [Spec, string, string][] = [
    [{ tier: 'Middle', priority: 1, subject: everybody }, 'UnknownTier', 'spec.tier'],
    [{ tier: 'Admin', priority: 1, subject: {} }, 'BrokenSubject', 'spec.subject'],
    [
      { tier: 'Admin', priority: 1, subject: everybody, ingress: [{ action: 'Log', from: [everybody] }] },
      'UnknownAction',
      'spec.ingress[0].action',
    ],
    [
      { tier: 'Admin', priority: 1, subject: everybody, egress: [{ action: 'Deny', to: [{ networks: ['10/8'] }] }] },
      'BrokenPrefix',
      'spec.egress[0].to[0].networks[0]',
    ],
    [
      { tier: 'Admin', priority: 1, subject: everybody, egress: [{ action: 'Deny', to: [] }] },
      'EmptyPeer',
      'spec.egress[0].to',
    ],
    [
      {
        tier: 'Admin',
        priority: 1,
        subject: everybody,
        egress: [{ action: 'Deny', to: [everybody], protocols: [{ tcp: {}, udp: {} }] }],
      },
      'BrokenProtocol',
      'spec.egress[0].protocols[0]',
    ],
    [
      { tier: 'Admin', priority: 1, subject: everybody, egress: [{ action: 'Deny', to: [{ domainNames: ['a.b'] }] }] },
      'DomainNamesNotAccept',
      'spec.egress[0].to[0].domainNames',
    ],
    [
      {
        tier: 'Admin',
        priority: 1,
        subject: everybody,
        egress: [{ action: 'Accept', to: [{ domainNames: ['a.b', '*'] }] }],
      },
      'BrokenDomainName',
      'spec.egress[0].to[0].domainNames[1]',
    ],
    [
      { tier: 'Admin', priority: 1, subject: everybody, ingress: [{ action: 'Deny', from: [{ nodes: {} }] }] },
      'UnknownPeer',
      'spec.ingress[0].from[0]',
    ],
  ]
  for (const [spec, code, field] of broken) {
    const [finding] = compileClusterPolicy(clusterPolicyObject('x', spec)).findings
    assert.deepEqual([finding?.code, finding?.field, finding?.object], [code, field, 'clusternetworkpolicy/x'])
    assert.notEqual(finding?.try, '')
  }
})

test('any spec compiles', () => {
  fc.assert(
    fc.property(arbitraryClusterSpec, (spec) => {
      const { ingress, egress } = compileClusterPolicy(clusterPolicyObject('x', spec))
      assert.deepEqual([ingress.length, egress.length], [spec.ingress?.length ?? 0, spec.egress?.length ?? 0])
    }),
  )
})

test('v1alpha1: AdminNetworkPolicy and BaselineAdminNetworkPolicy mean what they would as ClusterNetworkPolicy', () => {
  const admin = (kind: string, spec: AdminNetworkPolicy['spec']): KubeObject =>
    ({ apiVersion: 'policy.networking.k8s.io/v1alpha1', kind, metadata: { name: 'default' }, spec }) as KubeObject
  const policies = [
    admin('AdminNetworkPolicy', {
      priority: 10,
      subject: web,
      ingress: [
        {
          action: 'Allow',
          from: [client],
          ports: [{ portNumber: { protocol: 'TCP', port: 80 } }, { namedPort: 'http' }],
        },
        { action: 'Deny', from: [everybody], ports: [{ portRange: { start: 1, end: 100 } }] },
      ],
    }),
    admin('BaselineAdminNetworkPolicy', { subject: everybody, ingress: [{ action: 'Deny', from: [everybody] }] }),
  ]
  const flows = [
    'client>web tcp/80',
    'client>web tcp/8080',
    'client>web tcp/81',
    'client>web udp/80',
    'outside>web tcp/81',
  ]
  assert.deepEqual(verdicts(policies, flows), [true, true, false, false, true])
  const unknown = admin('AdminNetworkPolicy', { subject: web, ingress: [{ action: 'Accept', from: [client] }] })
  assert.deepEqual(verdicts([unknown], ['outside>web tcp/1']), [false], 'Accept is no action of v1alpha1')
})
