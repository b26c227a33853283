import { readFileSync } from 'node:fs'
import type { Counter, Rise } from '../doctor/index.ts'
import type { Namespace } from '../host/index.ts'

/** What a kernel has counted in one network namespace since it is there; without what it does not tell. */
export type Counts = Readonly<Partial<Record<Counter, number>>>

const sources: Readonly<
  Record<Counter, { readonly file: string; readonly read: (text: string) => number | undefined }>
> = {
  'reverse-path': { file: 'netstat', read: (text) => readPairs(text, 'TcpExt', 'IPReversePathFilter') },
  checksum: { file: 'snmp', read: (text) => readPairs(text, 'Tcp', 'InCsumErrors') },
  tracking: { file: 'stat/nf_conntrack', read: (text) => readPerCpu(text, ['insert_failed', 'drop']) },
  neighbours: { file: 'stat/arp_cache', read: (text) => readPerCpu(text, ['table_fulls']) },
}

/** Reads them of /proc/net (proc_pid_net(5)). */
export function readCounts(namespace: Namespace): Counts {
  return Object.fromEntries(
    Object.entries(sources).flatMap(([counter, { file, read }]) => {
      try {
        const value = read(namespace.run(() => readFileSync(`/proc/thread-self/net/${file}`, 'utf8')))
        return value === undefined ? [] : [[counter, value]]
      } catch {
        return []
      }
    }),
  )
}

/** What rose from one reading to the next. */
export function risesOf(place: string, before: Counts, after: Counts): readonly Rise[] {
  return (Object.keys(sources) as Counter[]).flatMap((counter): Rise[] => {
    const by = (after[counter] ?? 0) - (before[counter] ?? after[counter] ?? 0)
    return by > 0 ? [{ place, counter, by }] : []
  })
}

/** A line of names and a line of values, both after the same word. */
function readPairs(text: string, word: string, name: string): number | undefined {
  const lines = text.split('\n').filter((line) => line.startsWith(`${word}:`))
  const [names, values] = lines.map((line) => line.split(' '))
  const value = values?.[names?.indexOf(name) ?? -1]
  return value === undefined ? undefined : Number(value)
}

/** A line of names, then a line of hexadecimal values for each CPU. */
function readPerCpu(text: string, wanted: readonly string[]): number | undefined {
  const [names = [], ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  const columns = wanted.flatMap((name) => (names.includes(name) ? [names.indexOf(name)] : []))
  if (columns.length === 0) return undefined
  return rows.reduce((sum, row) => sum + columns.reduce((all, at) => all + Number.parseInt(row[at] ?? '0', 16), 0), 0)
}
