import {
  type Flowtable,
  makeState,
  plan,
  type Rule,
  type Statement,
  type Table,
  type TableFamily,
  type Transaction,
} from '../nft/index.ts'

/** Where the fast path is: one table for both families, as the kernel's flowtable takes both. */
export const fastPathTable: { readonly family: TableFamily; readonly table: string } = {
  family: 'inet',
  table: 'plumb-fastpath',
}

const flowtableName = 'fast'
/** A connection that has had so many packets is taken for a long one; kindnet's number. */
const longerThan = 20
/** DNS: what pods are told of names is copied in the forward hook. */
const dnsPort = '53'

/** The table with these devices. `packets` is after how many a connection takes the fast path. */
export function makeFastPath(devices: readonly string[], packets = longerThan): Table {
  return {
    family: fastPathTable.family,
    name: fastPathTable.table,
    sets: [],
    flowtables: [flowtable(devices)],
    chains: [
      {
        name: 'forward',
        // After whoever judges or copies: Services at 0, policies at 10, answers of DNS at 11.
        hook: { type: 'filter', hook: 'forward', priority: 12, policy: 'accept' },
        // One each: nft cannot list a port that may be of either.
        rules: [longConnections('tcp', packets), longConnections('udp', packets)],
      },
    ],
  }
}

/** What makes the table, or makes it again: connections that took the fast path go the ordinary way until their next packet. */
export function replaceFastPath(devices: readonly string[], packets = longerThan): Transaction {
  const wanted = makeState([{ table: makeFastPath(devices, packets) }])
  return [{ kind: 'destroy-table', ...fastPathTable }, ...plan(new Map(), wanted)]
}

/** What adds devices to the table. Devices that go leave it by themselves. */
export function extendFastPath(devices: readonly string[]): Transaction {
  return [{ kind: 'add-flowtable', ...fastPathTable, flowtable: flowtable(devices) }]
}

function flowtable(devices: readonly string[]): Flowtable {
  return { name: flowtableName, priority: 0, devices, counter: true }
}

function longConnections(protocol: 'tcp' | 'udp', packets: number): Rule {
  const ct = (key: 'packets' | 'mark', operator: '>' | '==', right: string): Statement => {
    return { kind: 'match', left: { kind: 'ct', key }, operator, right }
  }
  return {
    comment: 'long connections go past the hooks',
    statements: [
      // Answered ones alone: the kernel forgets a flow without answers when it gives it back, and the next packet may take another endpoint.
      { kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right: 'established' },
      ct('packets', '>', String(packets)),
      { kind: 'match', left: { kind: 'meta', key: 'l4proto' }, operator: '==', right: protocol },
      {
        kind: 'match',
        left: { kind: 'ct', key: 'proto-dst', direction: 'original' },
        operator: '!=',
        right: dnsPort,
      },
      // Marks are routed by: whoever leaves as another address, or comes back to the node that knows the connection.
      ct('mark', '==', '0x0'),
      { kind: 'match', left: { kind: 'meta', key: 'mark' }, operator: '==', right: '0x0' },
      { kind: 'flow-add', flowtable: flowtableName },
    ],
  }
}
