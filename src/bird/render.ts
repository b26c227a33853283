import { type Family, families, prefixFamily } from '../addr/index.ts'
import type { BirdBfd, BirdConfig, BirdExport, BirdPeer } from './model.ts'
import { namePrefix } from './name-prefix.ts'

/** The configuration as BIRD 2.0 reads it (User's Guide, "Configuration"). Equal models are equal texts, so that sessions that did not change stay up. */
export function renderBird(config: BirdConfig): string {
  const bfd = config.peers.some((peer) => peer.bfd !== undefined)
  return [
    'log stderr { warning, error, fatal, bug };',
    `router id ${config.routerId};`,
    // Seconds that a start waits for peers which keep its routes; BIRD's own are 240.
    'graceful restart wait 1;',
    'protocol device { }',
    // The sessions' own options stand with their peers.
    ...(bfd ? ['protocol bfd liveness { }'] : []),
    ...families.flatMap((family) => renderPrefixes(config, family)),
    ...config.peers.flatMap(renderPeer),
    '',
  ].join('\n')
}

/** `unreachable` only gives the prefix a place in BIRD's own table: nothing is put into the kernel's. */
function renderPrefixes({ prefixes }: BirdConfig, family: Family): string[] {
  const own = prefixes.filter((prefix) => prefixFamily(prefix) === family)
  if (own.length === 0) return []
  return [
    `protocol static addresses${family} {`,
    `  ipv${family};`,
    ...own.map((prefix) => `  route ${prefix} unreachable;`),
    '}',
  ]
}

function renderPeer(peer: BirdPeer): string[] {
  const local = peer.localAddress === undefined ? '' : `${peer.localAddress} `
  return [
    ...peer.families.flatMap((family) => renderFilter(peer, family)),
    `protocol bgp '${namePrefix}${peer.name}' {`,
    `  local ${local}as ${peer.localAsn};`,
    ...renderNeighbor(peer),
    `  hold time ${peer.holdSeconds};`,
    `  keepalive time ${peer.keepaliveSeconds};`,
    `  connect retry time ${peer.connectRetrySeconds};`,
    // BIRD's own are 5 s before the first try, and a minute and more after an error.
    '  connect delay time 1;',
    '  error wait time 1, 30;',
    ...(peer.password === undefined ? [] : [`  password "${peer.password}";`]),
    ...(peer.bfd === undefined ? [] : [renderBfd(peer.bfd)]),
    `  graceful restart ${peer.gracefulRestart ? 'on' : 'aware'};`,
    ...peer.families.flatMap((family) => renderChannel(peer, family)),
    '}',
  ]
}

function renderNeighbor({ neighbor, remoteAsn, multihop, name }: BirdPeer): string[] {
  const asn = typeof remoteAsn === 'number' ? `as ${remoteAsn}` : remoteAsn
  if ('link' in neighbor)
    return [
      `  neighbor range fe80::/10 ${asn};`,
      `  interface "${neighbor.link}";`,
      `  dynamic name "${(namePrefix + name).replace(/[^A-Za-z0-9_]/g, '_')}_";`,
      '  direct;',
    ]
  const port = neighbor.port === 179 ? '' : `port ${neighbor.port} `
  // A session within one AS is multihop unless told otherwise, and then neither BFD on the link nor next hops would be right.
  return [`  neighbor ${neighbor.address} ${port}${asn};`, multihop ? '  multihop;' : '  direct;']
}

function renderBfd({ receiveMs, transmitMs, multiplier, passive }: BirdBfd): string {
  const options = [
    `min rx interval ${receiveMs} ms`,
    `min tx interval ${transmitMs} ms`,
    `multiplier ${multiplier}`,
    ...(passive ? ['passive yes'] : []),
  ]
  return `  bfd { ${options.join('; ')}; };`
}

function renderChannel(peer: BirdPeer, family: Family): string[] {
  // IPv4 over a link-local neighbour (RFC 8950).
  const extended = 'link' in peer.neighbor && family === 4 ? ' extended next hop yes;' : ''
  return [`  ipv${family} { import none; export filter '${filterOf(peer, family)}'; next hop self;${extended} };`]
}

function filterOf({ name }: BirdPeer, family: Family): string {
  return `${namePrefix}${name}-ipv${family}`
}

function renderFilter(peer: BirdPeer, family: Family): string[] {
  return [
    `filter '${filterOf(peer, family)}' {`,
    ...peer.exports.flatMap((each) => renderExport(each, family)),
    '  reject;',
    '}',
  ]
}

function renderExport({ prefixes, localPreference, communities }: BirdExport, family: Family): string[] {
  const own = prefixes.filter((prefix) => prefixFamily(prefix) === family)
  if (own.length === 0) return []
  return [
    `  if net ~ [ ${own.join(', ')} ] then {`,
    ...communities.map((parts) =>
      parts.length === 2
        ? `    bgp_community.add((${parts.join(', ')}));`
        : `    bgp_large_community.add((${parts.join(', ')}));`,
    ),
    ...(localPreference === undefined ? [] : [`    bgp_local_pref = ${localPreference};`]),
    '    accept;',
    '  }',
  ]
}
