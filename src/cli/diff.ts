import { changeRows, diffReach, reachData } from '../explain/index.ts'
import { openState } from './open-setting.ts'
import { exit, print, say } from './output.ts'
import { printTable } from './reach.ts'
import type { ClusterOptions } from './read-cluster.ts'

/** `plumb diff BEFORE AFTER`: what a change opens, closes and leads elsewhere; exit status 1 when anything does. */
export async function runDiff(
  before: string,
  after: string,
  options: ClusterOptions & { output: 'table' | 'json' | 'markdown' },
): Promise<void> {
  const was = await openState('plumb diff', before, options)
  const is = was && (await openState('plumb diff', after, options))
  if (was === undefined || is === undefined) return
  const { schema, changes, opened, closed, untold } = diffReach(was, is)
  if (options.output === 'json') {
    const edges = { opened: reachData(opened), closed: reachData(closed) }
    print(JSON.stringify({ schema, changes, ...edges, untold }, null, 2))
  } else if (changes.length > 0) {
    printTable(['SEVERITY', 'CHANGE', 'OF', 'WHAT', 'BECAUSE'], changeRows(changes), options.output)
    if (untold > 0) say(`and ${untold} connections more`)
  } else say('nothing is opened, closed or led elsewhere')
  process.exitCode = changes.length > 0 ? exit.found : exit.ok
}
