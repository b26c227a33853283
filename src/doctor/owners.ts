import type { Address } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import { type Holder, holdersTold } from '../explain/index.ts'

/** Who answers for an external address by ARP or NDP, as nodes of its segment heard it. */
export interface Owners {
  readonly address: Address
  /** Nodes by name, and MAC addresses that no known node has. */
  readonly owners: readonly string[]
  /** The places that asked, `node/node-1 on eth0`. */
  readonly askedFrom: readonly string[]
  /** Why nobody asked. */
  readonly unasked: readonly string[]
  /** Who says in the cluster's objects that it announces the address. */
  readonly told?: Holder
}

/** Puts together what several machines heard and what the objects tell; `nodeOfMac` tells whose link a MAC address is. */
export function gatherOwners(
  snapshot: Snapshot,
  address: Address,
  heard: readonly {
    readonly from: string
    /** The node that asked, where it is one: it does not hear itself. */
    readonly node: string | undefined
    readonly answer:
      | { readonly kind: 'asked'; readonly link: string; readonly macs: readonly string[]; readonly own: boolean }
      | { readonly kind: 'not-asked'; readonly says: string }
  }[],
  nodeOfMac: ReadonlyMap<string, string>,
): Owners {
  const owners = heard.flatMap(({ node, answer }) =>
    answer.kind === 'asked'
      ? [...answer.macs.map((mac) => nodeOfMac.get(mac) ?? mac), ...(answer.own && node !== undefined ? [node] : [])]
      : [],
  )
  const [told] = holdersTold(snapshot, address)
  return {
    address,
    ...(told === undefined ? {} : { told }),
    owners: [...new Set(owners)].sort(),
    askedFrom: heard.flatMap(({ from, answer }) => (answer.kind === 'asked' ? [`${from} on ${answer.link}`] : [])),
    unasked: [...new Set(heard.flatMap(({ answer }) => (answer.kind === 'asked' ? [] : [answer.says])))],
  }
}

/** `172.30.0.200: node-2 answers, asked from node/node-1 on eth0`, one line for each address. */
export function renderOwners(all: readonly Owners[]): readonly string[] {
  return all.map((one) => {
    const { address, owners, askedFrom, unasked } = one
    const contradiction = contradictionOf(one)
    const said = contradiction === undefined ? '' : `; ${contradiction}`
    if (askedFrom.length === 0) return `  · ${address}: not asked: ${unasked.slice(0, 2).join('; ')}${toldWords(one)}`
    const asked = `asked from ${askedFrom.slice(0, 3).join(', ')}`
    if (owners.length === 0) return `  ✗ ${address}: nobody answers, ${asked}${said}`
    const who = `${owners.join(' and ')} ${owners.length === 1 ? 'answers' : 'answer'}`
    return `  ${owners.length === 1 && said === '' ? '✓' : '✗'} ${address}: ${who}, ${asked}${said}`
  })
}

/** Where the objects name another node than the wire. */
export function contradictionOf({ owners, askedFrom, told }: Owners): string | undefined {
  if (told === undefined || askedFrom.length === 0 || owners.includes(told.node)) return undefined
  const worth = told.stale === undefined ? '' : `, but ${told.stale}`
  return `${told.because.object} says that ${told.node} announces it${worth}`
}

function toldWords({ told }: Owners): string {
  return told === undefined ? '' : `; ${told.because.object} says that ${told.node} announces it`
}
