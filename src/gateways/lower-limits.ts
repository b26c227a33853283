import type { Line, Section } from '../haproxy/index.ts'
import { words } from './lower-words.ts'
import type { ClientLimits } from './model.ts'

/** Clients that are counted at the same time; of more the longest silent are forgotten. */
const mostClients = 100_000

/** The tables in which clients of what is limited are counted, each once. */
export function limitTables(limited: readonly { readonly limits?: ClientLimits }[]): Section[] {
  const limits = new Map(limited.flatMap(({ limits }) => (limits === undefined ? [] : [[limits.id, limits] as const])))
  return [...limits.values()].map((one) => {
    const seconds = Math.max(...rates(one).map(({ windowSeconds }) => windowSeconds), 1)
    const stored = [...rates(one).map(({ counter, windowSeconds }) => `${counter}_rate(${windowSeconds}s)`), 'conn_cur']
    const table = `stick-table type ipv6 size ${mostClients} expire ${seconds}s store ${stored.join(',')}`
    return { keyword: 'backend', name: tableOf(one), lines: [words(table)] }
  })
}

/** Refuses what is too much, as ingress-nginx does: with 503. Only what is let through counts, once of each `counter`: that of entrances is 1, of backends 0. */
export function limitLines(limits: ClientLimits, counter: 0 | 1): Line[] {
  const refuse = (details: string, condition: readonly string[]): Line => [
    ...words('http-request return status 503 hdr retry-after 1 hdr proxy-status'),
    `plumb; error=http_request_denied; details="${details}"`,
    ...condition,
  ]
  return countedLines(words('http-request'), limits, counter, refuse)
}

/** The same for streams, of which each is as much as a request: what is too much is closed. `condition`: which are meant, the first word `if`. */
export function streamLimitLines(limits: ClientLimits, condition: readonly string[]): Line[] {
  const rule = words('tcp-request content')
  return countedLines(rule, limits, 1, (_, over) => [...rule, 'reject', ...over], condition)
}

function countedLines(
  rule: readonly string[],
  limits: ClientLimits,
  counter: 0 | 1,
  refuse: (details: string, condition: readonly string[]) => Line,
  condition: readonly string[] = [],
): Line[] {
  const counted = [...condition.slice(1), ...(limits.except.length === 0 ? [] : ['!{', 'src', ...limits.except, '}'])]
  const unless = counted.length === 0 ? [] : ['if', ...counted]
  const over = (sample: string, most: number): string[] => ['if', ...counted, ...words(`{ ${sample} gt ${most} }`)]
  return [
    [...rule, `track-sc${counter}`, 'src', 'table', tableOf(limits), ...unless],
    ...(limits.connections === undefined
      ? []
      : [refuse('too many requests under way', over(`sc${counter}_conn_cur`, limits.connections))]),
    ...rates(limits).map(({ counter: of, most }) =>
      refuse('too many requests', over(`sc${counter}_${of}_rate`, most - 1)),
    ),
    ...rates(limits).map(({ counter: of }): Line => [...rule, `sc-inc-${of}(${counter})`, ...unless]),
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
