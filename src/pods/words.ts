import { parsePrefix } from '../addr/index.ts'

/** Which family's words a table uses. */
export const words = {
  4: {
    tableFamily: 'ip',
    address: 'ipv4_addr',
    source: 'ip saddr',
    destination: 'ip daddr',
    multicast: parsePrefix('224.0.0.0/4'),
  },
  6: {
    tableFamily: 'ip6',
    address: 'ipv6_addr',
    source: 'ip6 saddr',
    destination: 'ip6 daddr',
    multicast: parsePrefix('ff00::/8'),
  },
} as const
