import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { KubeObject, NetworkPolicy, Pod } from '../objects/index.ts'
import {
  arbitraryClusterSpec,
  arbitrarySpec,
  clusterPolicyObject,
  namespaceObject,
  nodeObject,
  podObject,
  policyObject,
} from '../policies/cluster.fixture.ts'
import {
  explainPolicies,
  type GrantPeer,
  grantBetween,
  grantOf,
  hasPort,
  policyNode,
  recipes,
} from '../policies/index.ts'
import {
  check,
  diffReach,
  markdownTable,
  reach,
  reachData,
  reachDot,
  reachRows,
  readAssertions,
  renderJunit,
  settingOf,
} from './index.ts'
import { analyseSetting } from './reach.ts'

const deployment = (name: string, ports: readonly { name: string; containerPort: number }[] = []): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'ns' },
    spec: { template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', ports }] } } },
  }) as unknown as KubeObject

const shop = [
  namespaceObject('ns'),
  deployment('client'),
  deployment('web', [{ name: 'http', containerPort: 8080 }]),
  deployment('db'),
]
const denyAll = policyObject('deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
const webFromClient = policyObject('web', {
  podSelector: { matchLabels: { app: 'web' } },
  ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: 'http' }] }],
})
const clientToWeb = policyObject('client', {
  podSelector: { matchLabels: { app: 'client' } },
  policyTypes: ['Egress'],
  egress: [
    {
      to: [{ podSelector: { matchLabels: { app: 'web' } } }],
      ports: [
        { port: 8000, endPort: 9000 },
        { port: 53, protocol: 'UDP' },
      ],
    },
    { to: [{ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.128/25'] } }], ports: [{ port: 443 }] },
  ],
})
const strict = [...shop, denyAll, webFromClient, clientToWeb]

test('reach: what both ends allow, and exact ranges outside', () => {
  assert.deepEqual(reachData(reach(settingOf(strict)).edges), [
    { from: 'deployment/ns/client', to: 'deployment/ns/web', ports: 'tcp 8080' },
    { from: 'deployment/ns/client', to: 'outside 203.0.113.0/25', ports: 'tcp 443' },
  ])
  const open = reach(settingOf(shop))
  assert.equal(open.edges.length, 3 * 2 + 3 * 2)
  assert.ok(open.edges.every(({ grant }) => grant.kind === 'all'))
})

test('reach: an audited policy closes nothing, and what it would close is told', () => {
  const annotations = { 'plumb.network/audit': 'true' }
  const trial = { ...denyAll, metadata: { ...denyAll.metadata, annotations } }
  const open = reach(settingOf(shop))
  const dry = reach(settingOf([...shop, trial]))
  assert.deepEqual(reachData(dry.edges), reachData(open.edges))
  assert.deepEqual(reachData(dry.audited), reachData(open.edges))
  const part = reach(settingOf([...shop, trial, webFromClient, clientToWeb]))
  assert.ok(
    reachData(part.audited).some(({ from, to }) => from === 'deployment/ns/client' && to === 'deployment/ns/db') ===
      false,
  )
  assert.ok(
    reachData(part.audited).some(({ from, to }) => from === 'deployment/ns/db' && to === 'deployment/ns/client'),
  )
})

test('diff: what a change opens and what it closes', () => {
  const wider = policyObject('web', {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: 8081 }] }],
  })
  const { opened, closed } = diffReach(settingOf(strict), settingOf([...shop, denyAll, wider, clientToWeb]))
  const edge = { from: 'deployment/ns/client', to: 'deployment/ns/web' }
  assert.deepEqual(reachData(opened), [{ ...edge, ports: 'tcp 8081' }])
  assert.deepEqual(reachData(closed), [{ ...edge, ports: 'tcp 8080' }])
  assert.deepEqual(diffReach(settingOf(strict), settingOf(strict)).changes, [])
})

test('check: assertions pass, fail or cannot be judged, and JUnit tells so', () => {
  const list = readAssertions({
    assertions: [
      { from: 'deployment/ns/client', to: 'deployment/ns/web', port: 8080, expect: 'allow' },
      { from: 'deployment/ns/db', to: 'deployment/ns/web', port: 8080, expect: 'deny' },
      { from: 'deployment/ns/client', to: '203.0.113.5', port: 443, expect: 'allow' },
      { from: 'deployment/ns/client', to: '203.0.113.200', port: 443, expect: 'deny' },
      { name: 'wrong & "bad"', from: '192.0.2.1', to: 'deployment/ns/web', port: 8080, expect: 'allow' },
      { from: 'deployment/ns/nobody', to: 'deployment/ns/web', port: 8080, expect: 'deny' },
    ],
  })
  assert.ok(typeof list !== 'string')
  const results = check(settingOf(strict), list)
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ['passed', 'passed', 'passed', 'passed', 'failed', 'broken'],
  )
  const junit = renderJunit(results)
  assert.match(junit, /tests="6" failures="1" errors="1"/)
  assert.match(junit, /name="wrong &amp; &quot;bad&quot;"/)
  assert.match(
    String(readAssertions({ assertions: [{ from: 'a', to: 'b', port: 0, expect: 'allow' }] })),
    /assertions\[0\]\.port/,
  )
  assert.match(String(readAssertions([])), /a list "assertions"/)
})

test('outside: every address once, in ranges that are treated alike, whatever tier decides', () => {
  const wide = clusterPolicyObject('w', {
    tier: 'Admin',
    priority: 1,
    subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'client' } } } },
    egress: [
      { action: 'Accept', to: [{ networks: ['192.0.2.0/25'] }], protocols: [{ tcp: {} }] },
      { action: 'Deny', to: [{ networks: ['203.0.113.64/26', '2001:db8::/32'] }] },
      { action: 'Deny', to: [{ networks: ['0.0.0.0/0'] }], protocols: [{ tcp: { destinationPort: { number: 25 } } }] },
    ],
  })
  const outside = (objects: readonly KubeObject[]) =>
    reachData(reach(settingOf(objects)).edges).flatMap(({ from, to, ports }) =>
      from === 'deployment/ns/client' && to.startsWith('outside') ? [`${to}: ${ports}`] : [],
    )
  assert.deepEqual(outside([...strict, wide]), ['outside 192.0.2.0/25: tcp any', 'outside 203.0.113.0/26: tcp 443'])
  const open = outside([...shop, wide])
  const rest = '::-2001:db7:ffff:ffff:ffff:ffff:ffff:ffff, 2001:db9::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'
  const most = '0.0.0.0-192.0.1.255, 192.0.2.128-203.0.113.63, 203.0.113.128-255.255.255.255'
  assert.deepEqual(open.toSorted(), [
    `outside ${most}: sctp any; tcp 0-24, 26-65535; udp any; other protocols`,
    `outside 192.0.2.0/25, ${rest}: everything`,
  ])
})

test('exposure: a pod that is not there, but that a policy means, is told with what it could reach', () => {
  const open = policyObject('db', {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [
      { from: [{ podSelector: { matchLabels: { role: 'backup' } } }], ports: [{ port: 5432 }] },
      { from: [{ namespaceSelector: { matchLabels: { team: 'x' } } }], ports: [{ port: 5433 }] },
      { from: [{ podSelector: { matchExpressions: [{ key: 'role', operator: 'Exists' }] } }], ports: [{ port: 80 }] },
      {
        from: [
          { podSelector: { matchLabels: { app: 'a' }, matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } },
        ],
      },
      { from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 443 }] },
    ],
  })
  const strangers = reachData(reach(settingOf([...shop, open])).edges).filter(({ from }) => from.includes('(none yet)'))
  assert.deepEqual(strangers, [
    { from: 'pods all in namespaces team=x (none yet)', to: 'deployment/ns/db', ports: 'tcp 5433' },
    { from: 'pods role Exists in ns (none yet)', to: 'deployment/ns/db', ports: 'tcp 80' },
    { from: 'pods role=backup in ns (none yet)', to: 'deployment/ns/db', ports: 'tcp 80, 5432' },
  ])
})

test('a graph and a table', () => {
  const { edges } = reach(settingOf(strict))
  assert.match(reachDot(edges), /"deployment\/ns\/client" -> "deployment\/ns\/web" \[label="tcp 8080"\]/)
  assert.match(
    markdownTable(['from', 'to', 'ports'], reachRows(edges)),
    /\| deployment\/ns\/client \| deployment\/ns\/web \| tcp 8080 \|/,
  )
})

test('reach says of every pair and port what an explanation says', () => {
  const pods = [2, 3, 4, 5].map((index) =>
    podObject(`p${index}`, {
      namespace: index % 2 === 0 ? 'ns' : 'other',
      labels: index < 4 ? { app: 'a' } : { app: 'b', tier: 'x' },
      index,
      ports: [{ name: 'http', port: 80 + index }],
    }),
  )
  const address = (pod: Pod) => parseAddress(pod.status?.podIPs?.[0]?.ip ?? '')
  fc.assert(
    fc.property(
      fc.array(arbitrarySpec, { maxLength: 3 }),
      fc.array(arbitraryClusterSpec, { maxLength: 3 }),
      (specs, wide) => {
        const policies = specs.map((spec, i): KubeObject => policyObject(`p${i}`, spec, i === 1 ? 'other' : 'ns'))
        policies.push(...wide.map((spec, i) => clusterPolicyObject(`c${i}`, spec)))
        const around = [namespaceObject('ns', { app: 'a' }), namespaceObject('other'), nodeObject(2, { app: 'b' })]
        const objects = [...around, ...pods.map(onlyV4), ...policies]
        const snapshot = snapshotOf(objects)
        const outsiders = ['203.0.113.10', '172.30.0.12', '10.244.1.99'].map((ip) => outsider(ip))
        const everybody = [...pods, ...outsiders]
        const tries = everybody.flatMap((from) =>
          everybody.flatMap((to) =>
            from === to || (outsiders.includes(from) && outsiders.includes(to))
              ? []
              : (
                  [
                    ['tcp', 80],
                    ['tcp', 84],
                    ['tcp', 1500],
                    ['udp', 8080],
                    ['sctp', 5],
                  ] as const
                ).map(([protocol, port]) => ({ from, to, protocol, port })),
          ),
        )
        const analysis = analyseSetting(settingOf(objects))
        const kinOf = (pod: Pod) => analysis.find(`${pod.metadata.namespace}/${pod.metadata.name}`)
        const peerOf = (pod: Pod): GrantPeer => {
          const node = [...snapshot.nodes.values()].map(policyNode).find((one) => one.addresses.includes(address(pod)))
          return { selections: undefined, address: address(pod), ...(node === undefined ? {} : { node: node.labels }) }
        }
        for (const { from, to, protocol, port } of tries) {
          const { denied } = explainPolicies(snapshot, {
            source: address(from),
            destination: address(to),
            protocol,
            port,
          })
          const [source, target] = [kinOf(from), kinOf(to)]
          const grant =
            source !== undefined && target !== undefined
              ? grantBetween(source, target)
              : source !== undefined
                ? grantOf(source.egress, peerOf(to), [])
                : grantOf(target!.ingress, peerOf(from), target!.ports)
          assert.equal(hasPort(grant, protocol, port), denied === undefined, `${address(from)} ${address(to)} ${port}`)
        }
      },
    ),
    { numRuns: 150 },
  )
})

/** Somebody who is no pod of the cluster, at an address. */
const outsider = (ip: string): Pod => ({ ...podObject(ip), status: { podIPs: [{ ip }] } })

function onlyV4(pod: Pod): Pod {
  return { ...pod, status: { ...pod.status, podIPs: pod.status?.podIPs?.slice(0, 1) ?? [] } }
}

test('each recipe allows what it says and nothing more', () => {
  const labelled = (name: string, namespace: string, labels: Record<string, string>, index: number): Pod =>
    podObject(name, { namespace, labels, index, ports: [{ name: 'http', port: 8080 }] })
  const world = [
    namespaceObject('ns'),
    labelled('web', 'ns', { app: 'web' }, 2),
    labelled('trusted', 'ns', { 'api-access': 'true' }, 3),
    labelled('stranger', 'other', {}, 4),
    labelled('dns', 'kube-system', { 'k8s-app': 'kube-dns' }, 5),
    labelled('gateway', 'gateway-system', { app: 'gateway' }, 6),
  ]
  const pod = (name: string) => {
    const { metadata } = world.find((one) => one.metadata.name === name)!
    return `pod/${metadata.namespace}/${metadata.name}`
  }
  const end = (text: string): string => (world.some(({ metadata }) => metadata.name === text) ? pod(text) : text)
  const cases: Readonly<Record<string, readonly [allow: string, deny: string]>> = {
    'deny-all': ['stranger>dns 53', 'web>trusted 8080, stranger>web 8080, web>dns 53, web>203.0.113.5 443'],
    'allow-dns': [
      'web>dns 53, web>169.254.20.10 53, stranger>web 80',
      'web>dns 8080, web>stranger 53, web>203.0.113.5 53',
    ],
    'block-apiserver': [
      'web>203.0.113.5 443, web>stranger 80, trusted>172.30.0.2 6443',
      'web>172.30.0.2 6443, web>fd00:30::2 6443',
    ],
    'from-gateway-only': [
      'gateway>web 8080, 172.30.0.12>web 8080, web>stranger 1',
      'gateway>web 8081, 172.30.0.12>web 8081, trusted>web 8080, 203.0.113.5>web 8080',
    ],
    'egress-cidr-except': [
      'web>203.0.113.5 443, stranger>web 1',
      'web>203.0.113.200 443, web>192.0.2.1 443, web>stranger 1',
    ],
    'isolate-namespace': [
      'web>trusted 1, trusted>web 1',
      'stranger>web 1, web>stranger 1, web>203.0.113.5 1, 203.0.113.5>web 1',
    ],
  }
  assert.deepEqual(recipes.map(({ name }) => name).sort(), Object.keys(cases).sort())
  for (const { name, yaml } of recipes) {
    const policy = parse(yaml) as NetworkPolicy
    const cast = settingOf([...world, { ...policy, metadata: { ...policy.metadata, namespace: 'ns' } }])
    for (const [index, expect] of (['allow', 'deny'] as const).entries()) {
      const assertions = (cases[name]?.[index] ?? '').split(', ').map((text) => {
        const [from = '', to = '', port = ''] = text.split(/[> ]/)
        return { from: end(from), to: end(to), port: Number(port), expect }
      })
      for (const { outcome, says } of check(cast, assertions)) assert.equal(outcome, 'passed', `${name}: ${says}`)
    }
  }
})

test('what nothing tells apart is one: pods beside an ipBlock, and many workloads alike', () => {
  const pods = Array.from({ length: 250 }, (_, at) =>
    podObject(`p${at}`, { labels: { app: at < 240 ? 'a' : 'b' }, index: at + 2 }),
  )
  const blocks = ['10.244.1.0/25', '203.0.113.0/24'].map((cidr, at) =>
    policyObject(`p${at}`, {
      podSelector: { matchLabels: { app: 'b' } },
      ingress: [{ from: [{ ipBlock: { cidr } }] }],
    }),
  )
  const setting = settingOf([namespaceObject('ns'), nodeObject(1), ...pods, ...blocks])
  // Within the block and beyond it, and those that the policies select.
  assert.deepEqual(
    analyseSetting(setting)
      .kin.map((one) => one.pods.length)
      .sort(),
    [10, 114, 126],
  )
  const { subjects, groups, edges } = reach(setting)
  assert.deepEqual(subjects.map((name) => groups[name]?.length).sort(), [10, 114, 126])
  const [within] = subjects.filter((name) => groups[name]?.length === 126)
  assert.ok(edges.some(({ from, to }) => from === within && groups[to]?.length === 10))
  assert.ok(!edges.some(({ from, to }) => groups[from]?.length === 114 && groups[to]?.length === 10))
  const closed = diffReach(
    setting,
    settingOf([namespaceObject('ns'), nodeObject(1), ...pods, ...blocks.slice(1)]),
  ).closed
  assert.equal(closed.filter(({ to }) => to === 'pod/ns/p245').length, 127)
})
