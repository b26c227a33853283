/** One line of `show stat`, by the column names of its header (`pxname`, `svname`, `status`, `stot`, …). */
export type StatRow = Readonly<Record<string, string>>

/** Reads `show stat`: CSV whose header begins with `# `. */
export function parseStat(text: string): readonly StatRow[] {
  const [header = '', ...lines] = text.trim().split('\n')
  const names = parseRow(header.replace(/^# /, ''))
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const cells = parseRow(line)
      return Object.fromEntries(names.flatMap((name, at) => (name === '' ? [] : [[name, cells[at] ?? '']])))
    })
}

function parseRow(line: string): string[] {
  return [...line.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)]
    .slice(0, -1)
    .map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '')
}

/** A worker of `show proc` on the master socket; an old one has reloads behind it and ends with its last connection. */
export interface Worker {
  readonly pid: number
  readonly reloads: number
  readonly old: boolean
}

/** Reads `show proc` of the master socket: workers only. */
export function parseProcesses(text: string): readonly Worker[] {
  const workers: Worker[] = []
  let old = false
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) old = line.includes('old workers')
    const [pid, type, reloads] = line.trim().split(/\s+/)
    if (type === 'worker') workers.push({ pid: Number(pid), reloads: Number(reloads), old })
  }
  return workers
}

/** Reads the frontends of `show sess`: one for each request or stream under way, the asking one included as `GLOBAL`. */
export function parseSessions(text: string): readonly { readonly frontend: string }[] {
  return [...text.matchAll(/^0x[0-9a-f]+: .*? fe=(\S*)/gm)].map(([, frontend = '']) => ({ frontend }))
}
