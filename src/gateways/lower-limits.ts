import type { Line, Section } from '../haproxy/index.ts'
import { words } from './lower-words.ts'
import type { BackendModel, ClientLimits } from './model.ts'

/** Clients that are counted at the same time; of more the longest silent are forgotten. */
const mostClients = 100_000

/** The tables in which clients of limited backends are counted, each once. */
export function limitTables(backends: readonly BackendModel[]): Section[] {
  const limits = new Map(backends.flatMap(({ limits }) => (limits === undefined ? [] : [[limits.id, limits] as const])))
  return [...limits.values()].map((one) => {
    const seconds = Math.max(...rates(one).map(({ windowSeconds }) => windowSeconds), 1)
    const stored = [...rates(one).map(({ counter, windowSeconds }) => `${counter}_rate(${windowSeconds}s)`), 'conn_cur']
    const table = `stick-table type ipv6 size ${mostClients} expire ${seconds}s store ${stored.join(',')}`
    return { keyword: 'backend', name: tableOf(one), lines: [words(table)] }
  })
}

/** Refuses what is too much, as ingress-nginx does: with 503. Only what is let through counts. */
export function limitLines(limits: ClientLimits): Line[] {
  const counted = limits.except.length === 0 ? [] : ['!{', 'src', ...limits.except, '}']
  const unless = counted.length === 0 ? [] : ['if', ...counted]
  const over = (sample: string, most: number): string[] => ['if', ...counted, ...words(`{ ${sample} gt ${most} }`)]
  const refuse = (details: string, condition: readonly string[]): Line => [
    ...words('http-request return status 503 hdr retry-after 1 hdr proxy-status'),
    `plumb; error=http_request_denied; details="${details}"`,
    ...condition,
  ]
  return [
    ['http-request', 'track-sc0', 'src', 'table', tableOf(limits), ...unless],
    ...(limits.connections === undefined
      ? []
      : [refuse('too many requests under way', over('sc0_conn_cur', limits.connections))]),
    ...rates(limits).map(({ counter, most }) => refuse('too many requests', over(`sc0_${counter}_rate`, most - 1))),
    ...rates(limits).map(({ counter }): Line => ['http-request', `sc-inc-${counter}(0)`, ...unless]),
  ]
}

/** A body that is announced as too long is not begun; of others the bytes are counted as they come (router.lua), until nobody may answer any more. */
export function bodyLines(mostBytes: number): Line[] {
  const refusal = 'plumb; error=http_request_denied; details="the body is too long"'
  return [
    ['filter', 'lua.body-limit', String(mostBytes)],
    [
      ...words('http-request return status 413 hdr proxy-status'),
      refusal,
      ...words(`if { req.fhdr(content-length),add(0) gt ${mostBytes} }`),
    ],
    words('http-response set-var(txn.begun) bool(true)'),
    ...[words('set-status 413'), ['set-header', 'proxy-status', refusal]].map(
      (rule): Line => [
        'http-after-response',
        ...rule,
        ...words('if { var(txn.too_long) -m bool } !{ var(txn.begun) -m bool }'),
      ],
    ),
  ]
}

function tableOf({ id }: ClientLimits): string {
  return `limits:${id.replace('/', ':').replaceAll('/', ':')}`
}

/** A window so long that the burst fits into it: what is let through in it is the burst and what may come in the meantime. */
function rates({ perSecond, perMinute, burst }: ClientLimits) {
  const rate = (counter: string, most: number | undefined, seconds: number) =>
    most === undefined ? [] : [{ counter, most: most * (burst + 1), windowSeconds: seconds * (burst + 1) }]
  return [...rate('gpc0', perSecond, 1), ...rate('gpc1', perMinute, 60)]
}
