import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Address, parseAddress } from '../addr/index.ts'
import {
  type Asking,
  type Front,
  lookUpFront,
  type NodeRules,
  parseIptablesSave,
  parseIpvs,
  parseNftJson,
  proxyModeOf,
} from './index.ts'

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8')
const rulesOf = (ruleset: NodeRules['rulesets'][number], node: number): NodeRules => ({
  rulesets: [ruleset],
  virtualServers: [],
  addresses: [parseAddress(`172.31.0.1${node}`), parseAddress(`10.244.${node}.1`)],
  blind: [],
})

/** The same cluster, as each mode of kube-proxy has it on a node. */
const modes: Readonly<Record<string, (node: number) => NodeRules | undefined>> = {
  iptables: (node) => rulesOf(parseIptablesSave(4, read(`iptables-node-${node}.save`)), node),
  'iptables-legacy': (node) =>
    node === 1 ? rulesOf(parseIptablesSave(4, read('iptables-legacy-node-1.save')), 1) : undefined,
  nftables: (node) => rulesOf(parseNftJson(4, read(`nftables-node-${node}.json`)), node),
}

const pod = '10.244.1.10'
const outside = '172.31.0.10'
const stranger = '198.51.100.7'

/** node, who asks, address, port; what becomes of it. */
const cases: readonly [number, string, string, number, string][] = [
  [1, pod, '10.96.0.50', 80, 'balance 10.244.1.11:8080 50%, 10.244.2.11:8080 50%'],
  [1, '172.31.0.11', '10.96.0.50', 80, 'balance 10.244.1.11:8080 50%, 10.244.2.11:8080 50% masqueraded'],
  // A pod that meets itself is masqueraded, and only then.
  [1, '10.244.1.11', '10.96.0.50', 80, 'balance 10.244.1.11:8080 50%, 10.244.2.11:8080 50% some masqueraded'],
  [1, outside, '172.31.0.11', 30080, 'balance 10.244.1.11:8080 50%, 10.244.2.11:8080 50% masqueraded'],
  [2, outside, '172.31.0.12', 30080, 'balance 10.244.1.11:8080 50%, 10.244.2.11:8080 50% masqueraded'],
  [1, pod, '10.96.0.70', 80, 'balance 10.244.1.11:8080 50%, 10.244.2.11:8080 50%'],
  [1, pod, '10.96.0.80', 80, 'reject'],
  // externalTrafficPolicy Local: strangers are dropped where no endpoint is, pods and the node itself are led on.
  [1, outside, '172.31.0.11', 30081, 'drop'],
  [2, outside, '172.31.0.12', 30081, 'balance 10.244.2.12:8080 100%'],
  [1, pod, '172.31.0.11', 30081, 'balance 10.244.2.12:8080 100%'],
  [1, '172.31.0.11', '172.31.0.11', 30081, 'balance 10.244.2.12:8080 100% masqueraded'],
  [1, outside, '203.0.113.80', 80, 'drop'],
  [2, outside, '203.0.113.80', 80, 'balance 10.244.2.12:8080 100%'],
  [2, stranger, '203.0.113.80', 80, 'drop'],
  [1, pod, '10.244.2.11', 8080, 'absent'],
  [1, outside, '172.31.0.11', 22, 'absent'],
]

for (const [mode, rulesAt] of Object.entries(modes)) {
  describe(`kube-proxy in mode ${mode}`, () => {
    for (const [node, source, address, port, expected] of cases) {
      const rules = rulesAt(node)
      if (rules === undefined) continue
      it(`node-${node}: ${source} → ${address}:${port}: ${expected}`, () => {
        assert.equal(render(lookUpFront(rules, asking(source, address, port))), expected)
      })
    }

    it('is recognised', () => assert.equal(proxyModeOf(rulesAt(1)!, 4), mode.split('-')[0]))

    it('UDP is another port than TCP', () => {
      const dns = { ...asking(pod, '10.96.0.53', 53), protocol: 'udp' as const }
      assert.equal(render(lookUpFront(rulesAt(1)!, dns)), 'balance 10.244.1.11:5353 50%, 10.244.2.11:5353 50%')
      assert.equal(lookUpFront(rulesAt(1)!, { ...dns, protocol: 'tcp' }).endpoints.length, 0)
    })
  })
}

describe('other rules', () => {
  const drop = (rule: string): NodeRules => ({
    ...modes.nftables!(1)!,
    rulesets: [
      ...modes.nftables!(1)!.rulesets,
      parseIptablesSave(4, `*filter\n:FORWARD ACCEPT [0:0]\n${rule}\nCOMMIT\n`),
    ],
  })

  it('somebody else’s DROP behind the translation is told with its rule', () => {
    const front = lookUpFront(
      drop('[7:420] -A FORWARD -d 10.244.2.0/24 -p tcp -m tcp --dport 8080 -j DROP'),
      asking(pod, '10.96.0.50', 80),
    )
    assert.equal(front.action, 'balance')
    assert.deepEqual(front.stoppedBy, {
      table: 'filter',
      chain: 'FORWARD',
      rule: '-A FORWARD -d 10.244.2.0/24 -p tcp -m tcp --dport 8080 -j DROP',
      packets: 7,
    })
    assert.deepEqual(front.unsure, [])
  })

  it('a rule whose match is not known may stop it, and that is said', () => {
    const front = lookUpFront(drop('-A FORWARD -m u32 --u32 "0>>22" -j DROP'), asking(pod, '10.96.0.50', 80))
    assert.equal(front.stoppedBy?.chain, 'FORWARD')
    assert.deepEqual(front.unsure, ['-A FORWARD -m u32 --u32 "0>>22" -j DROP'])
  })

  it('a policy of DROP stops what nobody accepts', () => {
    const rules = parseIptablesSave(4, '*filter\n:FORWARD DROP [9:540]\n-A FORWARD -s 10.9.0.0/16 -j ACCEPT\nCOMMIT\n')
    const front = (source: string): Front => lookUpFront(rulesOf(rules, 1), asking(source, '10.244.2.11', 8080))
    assert.equal(front(pod).stoppedBy?.rule, 'policy drop')
    assert.equal(front('10.9.1.1').stoppedBy, undefined)
  })

  it('matches of nftables by sets, ranges, links and states', () => {
    const rule = (...expr: unknown[]): string =>
      JSON.stringify({
        nftables: [
          {
            chain: {
              family: 'inet',
              table: 'fw',
              name: 'f',
              type: 'filter',
              hook: 'forward',
              prio: 0,
              policy: 'accept',
            },
          },
          { rule: { family: 'inet', table: 'fw', chain: 'f', handle: 4, expr } },
        ],
      })
    const match = (left: unknown, right: unknown, op = '==') => ({ match: { op, left, right } })
    const dport = { payload: { protocol: 'tcp', field: 'dport' } }
    const stopped = (...expr: unknown[]): boolean =>
      lookUpFront(rulesOf(parseNftJson(4, rule(...expr, { drop: null })), 1), asking(pod, '10.244.2.11', 8080))
        .stoppedBy !== undefined
    assert.equal(stopped(match(dport, { set: [80, { range: [8000, 9000] }] })), true)
    assert.equal(stopped(match(dport, { set: [80, { range: [8000, 9000] }] }, '!=')), false)
    assert.equal(stopped(match({ ct: { key: 'state' } }, ['established', 'related'], 'in')), false)
    assert.equal(stopped(match({ ct: { key: 'state' } }, 'new', 'in')), true)
    assert.equal(
      stopped(match({ payload: { protocol: 'ip', field: 'daddr' } }, { prefix: { addr: '10.244.2.0', len: 24 } })),
      true,
    )
    assert.equal(stopped(match({ payload: { protocol: 'ip', field: 'daddr' } }, '@nobody')), false)
  })
})

describe('IPVS', () => {
  const rules: NodeRules = { rulesets: [], virtualServers: parseIpvs(read('ipvs.txt')), addresses: [], blind: [] }

  it('virtual servers lead to their real servers; those of weight 0 get nothing new', () => {
    assert.equal(proxyModeOf(rules, 4), 'ipvs')
    assert.equal(render(lookUpFront(rules, asking(pod, '10.96.0.50', 80))), 'balance 10.244.1.11:8080 100%')
    assert.equal(render(lookUpFront(rules, asking('fd00::9', 'fd00:96::50', 80))), 'balance fd00:244:0:1::11:8080 100%')
    assert.equal(render(lookUpFront(rules, { ...asking(pod, '10.96.0.53', 53), protocol: 'udp' })), 'drop')
    assert.equal(
      rules.virtualServers.find(({ port, address }) => port === 80 && address === '10.96.0.70')?.persistentSeconds,
      10_800,
    )
  })
})

describe('bad input', () => {
  it('no text makes a parser throw', () => {
    const real = [read('iptables-node-1.save'), read('nftables-node-1.json'), read('ipvs.txt')]
    const text = fc.oneof(
      fc.string({ maxLength: 400 }),
      fc
        .tuple(fc.constantFrom(...real), fc.nat(40_000), fc.string({ maxLength: 12 }))
        .map(([whole, at, put]) => whole.slice(0, at) + put + whole.slice(at + put.length)),
    )
    fc.assert(
      fc.property(text, (any) => {
        for (const ruleset of [parseIptablesSave(4, any), parseNftJson(4, any)])
          lookUpFront(
            { rulesets: [ruleset], virtualServers: parseIpvs(any), addresses: [], blind: [] },
            asking(pod, '10.96.0.50', 80),
          )
      }),
      { numRuns: 200 },
    )
  })

  it('chains that call one another end', () => {
    const loop = '*filter\n:FORWARD ACCEPT [0:0]\n:A - [0:0]\n-A FORWARD -j A\n-A A -j A\n-A A -j A\nCOMMIT\n'
    assert.equal(
      render(lookUpFront(rulesOf(parseIptablesSave(4, loop), 1), asking(pod, '10.244.2.11', 8080))),
      'absent',
    )
  })

  it('what is no rule of iptables is told', () => {
    assert.deepEqual(parseIptablesSave(4, 'iptables-save: Permission denied').unread, [
      'iptables-save: Permission denied',
    ])
    assert.deepEqual(parseNftJson(4, 'Operation not permitted').unread, [
      'what nft -j list ruleset printed is no JSON of nft',
    ])
  })
})

function asking(source: string, address: string, port: number): Asking {
  return { source: parseAddress(source), address: parseAddress(address), protocol: 'tcp', port }
}

function render({ action, endpoints, masqueraded }: Front): string {
  const one = ({ address, port, percent }: { address: Address; port: number; percent: number }) =>
    `${address}:${port} ${Math.round(percent)}%`
  const masked = { all: ' masqueraded', some: ' some masqueraded', none: '' }[masqueraded]
  return `${action}${endpoints.length === 0 ? '' : ` ${endpoints.map(one).sort().join(', ')}${masked}`}`
}
