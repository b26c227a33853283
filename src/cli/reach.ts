import { readFileSync } from 'node:fs'
import {
  type Cast,
  castOf,
  check,
  diffReach,
  type Edge,
  nameOf,
  reach,
  reachData,
  reachDot,
  reachMarkdown,
  reachRows,
  readAssertions,
  renderJunit,
} from '../explain/index.ts'
import { exit, print, renderTable, say } from './output.ts'

type Form = 'table' | 'json' | 'dot' | 'markdown'

/** `plumb reach -f DIR`: who may talk to whom, from manifests alone. */
export async function runReach(options: { filename: string[]; output: Form }): Promise<void> {
  const cast = await readCast(options.filename)
  const { schema, subjects, edges, audited, findings } = reach(cast)
  for (const { object, field, says, try: remedy } of findings) say(`! ${object} ${field}: ${says} (${remedy})`)
  if (options.output === 'json') {
    const data = { schema, subjects, edges: reachData(edges), audited: reachData(audited), findings }
    print(JSON.stringify(data, null, 2))
    return
  }
  printEdges(edges, options.output)
  if (audited.length === 0 || options.output === 'dot') return
  print(
    options.output === 'markdown' ? '## would be denied by audited policies\n' : 'would be denied by audited policies:',
  )
  printEdges(audited, options.output)
}

/** `plumb diff BEFORE AFTER`: what a change opens and closes; exit status 1 when anything does. */
export async function runDiff(
  before: string,
  after: string,
  options: { output: 'table' | 'json' | 'markdown' },
): Promise<void> {
  const { schema, opened, closed } = diffReach(reach(await readCast([before])), reach(await readCast([after])))
  if (options.output === 'json') {
    print(JSON.stringify({ schema, opened: reachData(opened), closed: reachData(closed) }, null, 2))
  } else {
    for (const [word, edges] of [
      ['opened', opened],
      ['closed', closed],
    ] as const) {
      if (edges.length === 0) continue
      print(options.output === 'markdown' ? `## ${word}\n` : `${word}:`)
      printEdges(edges, options.output)
    }
    if (opened.length + closed.length === 0) say('no connection is opened or closed')
  }
  process.exitCode = opened.length + closed.length > 0 ? exit.found : exit.ok
}

/** `plumb check FILE -f DIR`: assertions; exit status 1 when one fails, 3 when one cannot be judged. */
export async function runCheck(
  file: string,
  options: { filename: string[]; output: 'text' | 'junit' | 'json' },
): Promise<void> {
  const { parse } = await import('yaml')
  const assertions = readAssertions(parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 }))
  if (typeof assertions === 'string') {
    say(`plumb check: ${file}: ${assertions}`)
    process.exitCode = exit.usage
    return
  }
  const results = check(await readCast(options.filename), assertions)
  if (options.output === 'junit') print(renderJunit(results))
  else if (options.output === 'json') print(JSON.stringify({ schema: 'plumb.network/check/v1', results }, null, 2))
  else {
    const marks = { passed: '✓', failed: '✗', broken: '?' } as const
    for (const { assertion, outcome, says } of results)
      print(`${marks[outcome]} ${nameOf(assertion)}${outcome === 'passed' ? '' : `: ${says}`}`)
  }
  const broken = results.some(({ outcome }) => outcome === 'broken')
  const failed = results.some(({ outcome }) => outcome === 'failed')
  process.exitCode = failed ? exit.found : broken ? exit.cannot : exit.ok
}

async function readCast(paths: readonly string[]): Promise<Cast> {
  if (paths.length === 0) throw new Error('say which manifests, as in -f DIR')
  const { readManifestPaths } = await import('../lab/index.ts')
  return castOf(readManifestPaths(paths).map(({ object }) => object))
}

function printEdges(edges: readonly Edge[], form: Form): void {
  if (form === 'dot') print(reachDot(edges))
  else if (form === 'markdown') print(`${reachMarkdown(edges)}\n`)
  else print(renderTable([['FROM', 'TO', 'PORTS'], ...reachRows(edges)]))
}
