import type { HttpFlow } from '../proxy/index.ts'

/** One kind of flow that agents tell on their socket, and how it is printed. */
export interface FlowKind<T> {
  readonly path: string
  readonly timeOf: (flow: T) => string
  readonly head: readonly string[]
  readonly row: (flow: T) => string[]
  /** Said when there are none. */
  readonly none: string
}

/** Requests and streams at gateways. */
export const requests: FlowKind<HttpFlow> = {
  path: '/flows/http',
  timeOf: ({ time }) => new Date(time).toISOString(),
  head: ['AT', 'STATUS', 'REQUEST', 'FROM', 'ROUTE', 'POD', 'MS', 'WHO ENDED IT'],
  row: (flow) => [
    new Date(flow.time).toISOString().slice(11, 19),
    flow.status > 0 ? String(flow.status) : flow.state,
    flow.method === '' ? flow.sni || 'stream' : `${flow.method} ${flow.host}${flow.path}`,
    flow.client,
    flow.route || flow.entrance,
    flow.pod || flow.server || 'none',
    String(flow.totalMs),
    flow.by === 'nobody' ? '' : `${flow.by}: ${flow.says}`,
  ],
  none: 'no gateway has had a request of late',
}
