import type { Line } from '../haproxy/index.ts'
import { words } from './lower-words.ts'
import type { Balance } from './model.ts'

/** Servers can be added only where the algorithm is a dynamic one, hence hashes are consistent ones. */
export function balanceLines(balance: Balance | undefined): Line[] {
  if (balance === undefined) return [words('balance roundrobin')]
  if (balance.kind === 'fewest') return [words('balance leastconn')]
  return [words(`balance hash ${sampleOf(balance)}`), words('hash-type consistent')]
}

function sampleOf(balance: Balance & { kind: 'hash' }): string {
  switch (balance.by) {
    case 'uri':
      return 'pathq'
    case 'path':
      return 'path'
    case 'client':
      return 'src'
    case 'host':
      return 'req.hdr(host)'
    case 'header':
      return `req.hdr(${balance.name})`
    case 'cookie':
      return `req.cook(${balance.name})`
    case 'query':
      return `url_param(${balance.name})`
    default:
      return balance satisfies never
  }
}
