import type { Element, Expression, Rule, SetDeclaration, Statement, Table } from '../language.ts'

const service: Expression = {
  kind: 'concat',
  of: [
    { kind: 'payload', field: 'ip daddr' },
    { kind: 'meta', key: 'l4proto' },
    { kind: 'payload', field: 'th dport' },
  ],
}
const service6: Expression = {
  kind: 'concat',
  of: [
    { kind: 'payload', field: 'ip6 daddr' },
    { kind: 'meta', key: 'l4proto' },
    { kind: 'payload', field: 'th dport' },
  ],
}
type Field = Extract<Expression, { kind: 'payload' }>['field']
type MetaKey = Extract<Expression, { kind: 'meta' }>['key']
type Right = Extract<Statement, { kind: 'match' }>['right']
type Operator = Extract<Statement, { kind: 'match' }>['operator']

const payload = (field: Field): Expression => ({ kind: 'payload', field })
const meta = (key: MetaKey): Expression => ({ kind: 'meta', key })
const ct = (key: 'state' | 'status' | 'mark' | 'direction'): Expression => ({ kind: 'ct', key })
const is = (left: Expression, right: Right, operator: Operator = '=='): Statement => ({
  kind: 'match',
  left,
  operator,
  right,
})
const accept: Statement = { kind: 'verdict', verdict: { kind: 'accept' } }
const drop: Statement = { kind: 'verdict', verdict: { kind: 'drop' } }
const counter: Statement = { kind: 'counter' }
const goto = (chain: string) => ({ kind: 'goto', chain }) as const
const rule = (...statements: Statement[]): Rule => ({ statements })
const noted = (comment: string, ...statements: Statement[]): Rule => ({ statements, comment })
const tcp = is(meta('l4proto'), 'tcp')

interface Case {
  readonly table: Table
  readonly elements: Readonly<Record<string, readonly Element[]>>
}

const names = {
  ip: { address: 'ipv4_addr', key: service },
  ip6: { address: 'ipv6_addr', key: service6 },
} as const

/** The Service rules, in either family. */
function services(family: 'ip' | 'ip6'): Case {
  const { address, key } = names[family]
  const version = family === 'ip' ? 4 : 6
  const text = family === 'ip' ? (host: number) => `10.96.0.${host}` : (host: number) => `fd00:96::${host}`
  const serviceKey = [address, 'inet_proto', 'inet_service'] as const
  const sets: SetDeclaration[] = [
    { name: 'service-class', key: serviceKey, value: ['classid'], comment: 'Service port to class' },
    { name: 'classes', key: ['classid'], value: ['verdict'] },
    { name: 'endpoints-0', key: serviceKey, value: [address, 'inet_service'] },
    { name: 'endpoints-1', key: serviceKey, value: [address, 'inet_service'] },
    { name: 'addresses', key: [address], value: [address] },
    { name: 'hairpin', key: [address, address] },
    { name: 'cluster-ips', key: [address], flags: ['interval'] },
    { name: 'affinity-0', key: [address], flags: ['dynamic', 'timeout'], timeoutSeconds: 10800 },
  ]
  const source = payload(family === 'ip' ? 'ip saddr' : 'ip6 saddr')
  const destination = payload(family === 'ip' ? 'ip daddr' : 'ip6 daddr')
  const endpoint = (index: number): Statement => ({
    kind: 'dnat',
    family: version,
    withPort: true,
    to: { kind: 'lookup', key, map: `endpoints-${index}` },
  })
  const table: Table = {
    family,
    name: 'plumb-services',
    comment: 'Services of the cluster',
    sets,
    chains: [
      { name: 'ep-0', comment: 'the first endpoint', rules: [rule(endpoint(0))] },
      { name: 'ep-1', rules: [rule(endpoint(1))] },
      {
        name: 'lb-2',
        rules: [
          rule({
            kind: 'vmap',
            key: { kind: 'numgen', mode: 'random', modulus: 2 },
            map: [
              { key: '0', verdict: goto('ep-0') },
              { key: '1', verdict: goto('ep-1') },
            ],
          }),
        ],
      },
      {
        name: 'sticky',
        rules: [
          rule(is(source, { set: 'affinity-0' }), {
            kind: 'update',
            operation: 'update',
            set: 'affinity-0',
            key: source,
            timeoutSeconds: 10800,
          }),
          rule({ kind: 'update', operation: 'add', set: 'affinity-0', key: source }),
          rule({
            kind: 'vmap',
            key: { kind: 'jhash', of: [source, payload('th sport')], modulus: 2, seed: 0xdeadbeef },
            map: [
              { key: '0', verdict: goto('ep-0') },
              { key: '1', verdict: goto('ep-1') },
            ],
          }),
        ],
      },
      {
        name: 'services',
        rules: [
          noted('10.96.0.10 has class 2', {
            kind: 'set',
            target: 'meta priority',
            value: { kind: 'lookup', key, map: 'service-class' },
          }),
          rule({ kind: 'vmap', key: meta('priority'), map: 'classes' }),
        ],
      },
      {
        name: 'nat-prerouting',
        hook: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' },
        rules: [
          rule({ kind: 'verdict', verdict: { kind: 'jump', chain: 'services' } }),
          rule({ kind: 'dnat', family: version, withPort: false, to: { kind: 'lookup', key: destination, map: 'addresses' } }),
          rule({ kind: 'dnat', family: version, withPort: false, to: { kind: 'constant', text: text(7) } }),
          rule(tcp, {
            kind: 'dnat',
            family: version,
            withPort: true,
            to: { kind: 'constant', text: family === 'ip' ? `${text(7)}:80` : `[${text(7)}]:80` },
            flags: ['fully-random'],
          }),
        ],
      },
      {
        name: 'nat-output',
        hook: { type: 'nat', hook: 'output', priority: -100, policy: 'accept' },
        rules: [rule({ kind: 'verdict', verdict: { kind: 'jump', chain: 'services' } })],
      },
      {
        name: 'nat-postrouting',
        hook: { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' },
        rules: [
          rule(is(ct('status'), 'dnat'), is({ kind: 'concat', of: [source, destination] }, { set: 'hairpin' }), {
            kind: 'masquerade',
            flags: ['fully-random'],
          }),
          rule(
            is(
              { kind: 'ct', key: family === 'ip' ? 'ip daddr' : 'ip6 daddr', direction: 'original' },
              { set: 'cluster-ips' },
            ),
            { kind: 'masquerade' },
          ),
          rule({
            kind: 'snat',
            family: version,
            withPort: false,
            to: { kind: 'constant', text: text(9) },
            flags: ['random', 'persistent'],
          }),
        ],
      },
      {
        name: 'filter-forward',
        hook: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
        rules: [
          rule(is(ct('state'), 'new'), is(destination, { set: 'cluster-ips' }), { kind: 'reject', with: 'port-unreachable' }),
          rule(tcp, { kind: 'reject', with: 'tcp reset' }),
          rule({ kind: 'reject', with: 'tcp reset' }),
          rule({ kind: 'reject', with: 'admin-prohibited' }),
        ],
      },
    ],
  }
  return {
    table,
    elements: {
      'service-class': [
        { key: `${text(10)} . udp . 53`, value: 'fe5:2', comment: 'kube-system/kube-dns:dns' },
        { key: `${text(10)} . tcp . 53`, value: 'fe5:2' },
      ],
      classes: [{ key: 'fe5:2', value: 'goto lb-2' }],
      'endpoints-0': [{ key: `${text(10)} . tcp . 53`, value: `${text(101)} . 5353` }],
      'endpoints-1': [{ key: `${text(10)} . tcp . 53`, value: `${text(102)} . 5353` }],
      hairpin: [{ key: `${text(101)} . ${text(101)}` }],
      'cluster-ips': [
        { key: family === 'ip' ? '10.96.0.0/16' : 'fd00:96::/112' },
        { key: family === 'ip' ? '10.100.0.1-10.100.0.9' : 'fd00:97::1-fd00:97::9', comment: 'a range' },
      ],
    },
  }
}

/** Matches of every kind, in a table of both families. */
const policies: Case = {
  table: {
    family: 'inet',
    name: 'plumb-policies',
    sets: [
      { name: 'pods', key: ['ipv4_addr'], value: ['verdict'] },
      { name: 'peers', key: ['ipv4_addr'], flags: ['interval'] },
      { name: 'peers6', key: ['ipv6_addr'], flags: ['interval'] },
      { name: 'ports', key: ['ipv4_addr', 'inet_proto', 'inet_service'], flags: ['interval'], comment: 'blocks and ports' },
      { name: 'links', key: ['ifname'], size: 100 },
      { name: 'services', key: ['inet_service'], flags: ['interval'] },
      { name: 'marks', key: ['mark'], value: ['mark', 'ipv4_addr'] },
      { name: 'stations', key: ['ether_addr'], flags: ['timeout'] },
      { name: 'protocols', key: ['inet_proto'], value: ['inet_service'], flags: ['constant'] },
      { name: 'handles', key: ['classid'] },
      { name: 'everyone', key: ['ipv4_addr'], flags: ['interval'] },
      { name: 'endpoints', key: ['ipv4_addr', 'inet_proto', 'inet_service', 'classid'], value: ['ipv4_addr', 'inet_service'] },
    ],
    chains: [
      { name: 'deny', rules: [rule({ kind: 'log', prefix: 'plumb deny ', group: 3 }, counter, drop)] },
      {
        name: 'matches',
        rules: [
          rule(is(payload('ip saddr'), { set: 'peers' }), is(payload('th dport'), '80'), accept),
          rule(is(payload('ip6 saddr'), { set: 'peers6' }, '!='), accept),
          rule(is(meta('nfproto'), 'ipv4'), is(payload('ip saddr'), { set: 'peers' }), accept),
          rule(is(meta('nfproto'), 'ipv6'), accept),
          rule(tcp, is(payload('th dport'), { of: ['443', '80', '8080-8090'] }), accept),
          rule(is(meta('l4proto'), { of: ['udp', 'tcp'] }), is(payload('th dport'), '1000-2000', '!='), accept),
          rule(tcp, is(payload('ip saddr'), { set: 'peers' }), is(payload('th dport'), '80'), accept),
          rule(
            is(
              { kind: 'concat', of: [payload('ip saddr'), meta('l4proto'), payload('th dport')] },
              { set: 'ports' },
            ),
            accept,
          ),
          rule(is(payload('ip saddr'), '10.0.0.0/8'), is(payload('ip daddr'), '10.0.0.0/9', '!='), accept),
          rule(is(payload('ip daddr'), '10.0.0.1-10.0.0.6'), accept),
          rule(is(payload('ip daddr'), '10.0.0.1', '!='), accept),
          rule(is(payload('ip daddr'), { of: ['10.0.0.0/8', '192.168.0.0/16', '10.1.0.0/16'] }, '!='), accept),
          rule(is(payload('ip daddr'), { of: ['10.0.0.2'] }), accept),
          rule(is(payload('ip daddr'), { of: ['10.0.0.2/32', '10.0.0.3-10.0.0.3'] }), accept),
          rule(is(payload('ip saddr'), '0.0.0.0/0'), accept),
          rule(is(payload('ip6 saddr'), '::/0'), accept),
          rule(is(payload('ip daddr'), { of: ['0.0.0.0/0', '10.0.0.0/8'] }), accept),
          rule(is(payload('ip6 daddr'), 'fd00::/64'), accept),
          rule(is(payload('ip6 daddr'), 'fd00::/63'), accept),
          rule(is(payload('ip protocol'), 'sctp'), accept),
          rule(is(payload('icmp type'), 'echo-request'), accept),
          rule(is(payload('icmpv6 type'), { of: ['nd-neighbor-solicit', 'nd-neighbor-advert'] }), accept),
          rule(is(payload('tcp flags'), 'syn'), accept),
          rule(is({ kind: 'bitwise', of: payload('tcp flags'), mask: 0x17, xor: 0 }, 'syn'), accept),
          rule(is(payload('ether saddr'), '02:00:00:00:00:01'), accept),
          rule(is(meta('iifname'), 'eth0'), is(meta('oifname'), 'veth*', '!='), accept),
          rule(is(meta('iifname'), { of: ['"eth1"', '"eth0"'] }), accept),
          rule(is(meta('oifname'), { set: 'links' }), accept),
          rule(is(ct('state'), 'related,established'), accept),
          rule(is(ct('state'), 'new', '!='), accept),
          rule(is(ct('state'), { of: ['invalid', 'untracked'] }), drop),
          rule(is({ kind: 'bitwise', of: ct('status'), mask: 0x20, xor: 0 }, 'dnat'), accept),
          rule(is(ct('mark'), '0x10'), accept),
          rule(is(ct('direction'), 'reply'), accept),
          rule(is({ kind: 'ct', key: 'ip saddr', direction: 'reply' }, '10.0.0.0/8'), accept),
          rule(is({ kind: 'ct', key: 'ip6 daddr', direction: 'original' }, 'fd00::1'), accept),
          rule(tcp, is({ kind: 'ct', key: 'proto-dst', direction: 'original' }, '80'), accept),
          rule(is(meta('mark'), '0x5', '>'), is(meta('mark'), '1-5', '!='), accept),
          rule(is(meta('mark'), { of: ['9', '1-5'] }), accept),
          rule(is({ kind: 'bitwise', of: meta('mark'), mask: 0xff, xor: 0 }, '0x1'), accept),
          rule(is(meta('skuid'), '0'), is(meta('pkttype'), 'broadcast'), drop),
          rule(is(meta('priority'), 'fe5:2'), accept),
          rule(is(meta('priority'), { set: 'handles' }), accept),
          rule(is({ kind: 'fib', of: ['daddr'], result: 'type' }, 'local'), accept),
          rule(is({ kind: 'fib', of: ['daddr', 'iif'], result: 'type' }, { of: ['multicast', 'local'] }, '!='), accept),
          rule(is({ kind: 'fib', of: ['saddr', 'iif'], result: 'oif' }, 'missing'), drop),
          rule(is({ kind: 'fib', of: ['saddr', 'mark'], result: 'oifname' }, 'eth0'), accept),
          rule(is({ kind: 'numgen', mode: 'inc', modulus: 4 }, '2', '<'), accept),
          rule(is({ kind: 'jhash', of: [payload('ip saddr')], modulus: 4, seed: 0 }, '0'), accept),
        ],
      },
      {
        name: 'actions',
        rules: [
          rule({ kind: 'set', target: 'meta mark', value: { kind: 'constant', text: '0x10' } }),
          rule({ kind: 'set', target: 'ct mark', value: meta('mark') }),
          rule({ kind: 'set', target: 'meta mark', value: ct('mark') }),
          rule({ kind: 'set', target: 'meta mark', value: { kind: 'bitwise', of: meta('mark'), mask: 0xfffffffe, xor: 1 } }),
          rule({ kind: 'set', target: 'meta mark', value: { kind: 'bitwise', of: meta('mark'), mask: 0xff00ff, xor: 2 } }),
          rule({ kind: 'set', target: 'meta mark', value: { kind: 'bitwise', of: meta('mark'), mask: 0xffff0000, xor: 2 } }),
          rule({ kind: 'set', target: 'meta mark', value: { kind: 'bitwise', of: meta('mark'), mask: 0xffffffff, xor: 2 } }),
          rule({ kind: 'set', target: 'meta priority', value: { kind: 'constant', text: 'fe5:10' } }),
          rule({
            kind: 'set',
            target: 'meta priority',
            value: { kind: 'numgen', mode: 'random', modulus: 3 },
          }),
          rule({
            kind: 'set',
            target: 'meta mark',
            value: { kind: 'jhash', of: [payload('ip saddr'), payload('th sport')], modulus: 3, seed: 1 },
          }),
          rule({ kind: 'log', prefix: 'plumb ' }),
          rule({ kind: 'log', prefix: '', group: 2 }),
          rule({ kind: 'limit', rate: 10, per: 'second' }, accept),
          rule({ kind: 'limit', rate: 100, per: 'minute', burst: 7 }, counter, accept),
          rule({ kind: 'vmap', key: payload('ip saddr'), map: 'pods' }),
          rule({
            kind: 'vmap',
            key: payload('ip saddr'),
            map: [
              { key: '192.168.0.0/16', verdict: { kind: 'jump', chain: 'deny' } },
              { key: '10.0.0.1', verdict: { kind: 'return' } },
            ],
          }),
          rule({
            kind: 'vmap',
            key: ct('state'),
            map: [
              { key: 'new', verdict: { kind: 'continue' } },
              { key: 'established', verdict: { kind: 'accept' } },
            ],
          }),
          rule({ kind: 'reject', with: 'port-unreachable' }),
          rule({ kind: 'reject', with: 'admin-prohibited' }),
          rule({ kind: 'reject', with: 'tcp reset' }),
          rule(tcp, is(payload('th dport'), '25'), { kind: 'reject', with: 'tcp reset' }),
          noted('the end', { kind: 'verdict', verdict: { kind: 'return' } }),
        ],
      },
      {
        name: 'filter-forward',
        hook: { type: 'filter', hook: 'forward', priority: -5, policy: 'drop' },
        comment: 'every packet crosses here',
        rules: [
          rule({ kind: 'verdict', verdict: { kind: 'jump', chain: 'matches' } }),
          rule({ kind: 'verdict', verdict: { kind: 'jump', chain: 'actions' } }),
        ],
      },
      {
        name: 'raw-output',
        hook: { type: 'filter', hook: 'output', priority: -300, policy: 'accept' },
        rules: [rule(is(meta('oifname'), 'lo'), { kind: 'notrack' })],
      },
      {
        name: 'route-output',
        hook: { type: 'route', hook: 'output', priority: -150, policy: 'accept' },
        rules: [],
      },
      {
        name: 'nat-prerouting',
        hook: { type: 'nat', hook: 'prerouting', priority: -110, policy: 'accept' },
        rules: [
          rule({
            kind: 'dnat',
            family: 4,
            withPort: true,
            to: {
              kind: 'lookup',
              key: { kind: 'concat', of: [payload('ip daddr'), meta('l4proto'), payload('th dport'), meta('priority')] },
              map: 'endpoints',
            },
          }),
          rule({ kind: 'dnat', family: 6, withPort: false, to: { kind: 'constant', text: 'fd00::1' } }),
          rule(tcp, { kind: 'dnat', family: 4, withPort: true, to: { kind: 'constant', text: '10.0.0.1 . 80' } }),
        ],
      },
    ],
  },
  elements: {
    pods: [
      { key: '10.244.0.5', value: 'goto deny', comment: 'default/a' },
      { key: '10.244.0.4', value: 'accept' },
      { key: '10.244.0.6', value: 'jump deny' },
    ],
    peers: [
      { key: '192.168.0.0/16' },
      { key: '10.0.0.0/8', comment: 'ours' },
      { key: '172.16.0.1' },
      { key: '172.16.0.3-172.16.0.7' },
      { key: '255.0.0.0/8' },
    ],
    peers6: [{ key: 'fd00::/64' }, { key: 'fd00:1::1' }],
    ports: [
      { key: '10.0.0.0/8 . tcp . 80-90', comment: 'web' },
      { key: '10.0.0.1 . udp . 53' },
      { key: '0.0.0.0/0 . sctp . 0-65535' },
    ],
    links: [{ key: '"eth1"' }, { key: '"eth0"' }],
    services: [{ key: '80' }, { key: '1024-65535' }, { key: '90-99' }],
    marks: [{ key: '0x00000010', value: '0x00000020 . 10.0.0.1' }],
    stations: [{ key: '02:00:00:00:00:02' }, { key: '02:00:00:00:00:01' }],
    protocols: [
      { key: 'udp', value: '53' },
      { key: 'tcp', value: '80' },
      { key: 'ipv6-icmp', value: '0' },
    ],
    everyone: [{ key: '0.0.0.0/0' }],
    endpoints: [{ key: '10.96.0.1 . tcp . 443 . 0:1', value: '172.30.0.2 . 6443' }],
    handles: [{ key: '1:ffff' }, { key: 'fe5:2' }, { key: 'none' }],
  },
}

const announce: Case = {
  table: {
    family: 'arp',
    name: 'plumb-announce',
    sets: [],
    chains: [
      {
        name: 'input',
        hook: { type: 'filter', hook: 'input', priority: 0, policy: 'accept' },
        rules: [
          rule(
            is(payload('arp operation'), 'request'),
            is(payload('arp saddr ip'), '10.0.0.1'),
            is(payload('arp daddr ip'), '10.0.0.2', '!='),
            drop,
          ),
        ],
      },
    ],
  },
  elements: {},
}

const segment: Case = {
  table: {
    family: 'bridge',
    name: 'plumb-segment',
    sets: [],
    chains: [
      {
        name: 'forward',
        hook: { type: 'filter', hook: 'forward', priority: -200, policy: 'accept' },
        rules: [
          rule(is(payload('ip saddr'), '10.0.0.1'), tcp, is(payload('th dport'), '80'), drop),
          rule(is(payload('arp operation'), 'request'), is(payload('arp saddr ip'), '10.0.0.2', '!='), drop),
          rule(is(payload('ether saddr'), '02:00:00:00:00:01'), is(meta('iifname'), 'eth0'), drop),
        ],
      },
    ],
  },
  elements: {},
}

/** Source ports out of a range, ICMP told apart by what it is about, and a rate of bytes, in either family. */
function egress(family: 'ip' | 'ip6'): Case {
  const v4 = family === 'ip'
  const inner: readonly Field[] = v4
    ? ['@th,136,8', '@th,224,16', '@th,256,16']
    : ['@th,112,8', '@th,384,16', '@th,416,16']
  const [protocol, port, echo] = inner.map(payload) as [Expression, Expression, Expression]
  const type = payload(v4 ? 'icmp type' : 'icmpv6 type')
  const errors = { of: ['destination-unreachable', 'time-exceeded'] }
  const mark: Statement = { kind: 'set', target: 'meta mark', value: { kind: 'constant', text: '0x50d00001' } }
  const to = { kind: 'constant', text: v4 ? '203.0.113.7:1024-2047' : '[2001:db8::7]:1024-2047' } as const
  return {
    table: {
      family,
      name: 'plumb-egress',
      sets: [],
      chains: [
        {
          name: 'nat-postrouting',
          hook: { type: 'nat', hook: 'postrouting', priority: 95, policy: 'accept' },
          rules: [
            rule(is(meta('l4proto'), { of: ['tcp', 'udp'] }), {
              kind: 'snat',
              family: v4 ? 4 : 6,
              to,
              withPort: true,
              flags: ['fully-random'],
            }),
          ],
        },
        {
          name: 'raw-prerouting',
          hook: { type: 'filter', hook: 'prerouting', priority: -300, policy: 'accept' },
          rules: [
            rule(is(type, 'echo-reply'), is(payload(v4 ? 'icmp id' : 'icmpv6 id'), '1024-2047'), mark),
            rule(is(type, errors), is(protocol, '0x6'), is(port, '0x400-0x7ff'), mark),
            rule(is(type, errors), is(protocol, v4 ? '0x1' : '0x3a'), is(echo, '0x400-0x7ff'), mark),
            rule({ kind: 'limit', rate: 125000, per: 'second', burst: 20000, of: 'bytes', over: true }, drop),
            rule({ kind: 'limit', rate: 1048576, per: 'second', burst: 262144, of: 'bytes', over: true }, drop),
            rule({ kind: 'limit', rate: 400, per: 'minute', over: true }, drop),
          ],
        },
      ],
    },
    elements: {},
  }
}

/** Tables that use every feature of the language; each has a golden file of its name. */
export const cases: Readonly<Record<string, Case>> = {
  'services-ip': services('ip'),
  'services-ip6': services('ip6'),
  'policies-inet': policies,
  'announce-arp': announce,
  'segment-bridge': segment,
  'egress-ip': egress('ip'),
  'egress-ip6': egress('ip6'),
}
