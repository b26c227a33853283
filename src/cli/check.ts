import { readFileSync } from 'node:fs'
import { check, nameOf, readAssertions, renderJunit } from '../explain/index.ts'
import { openSetting, type SettingOptions } from './open-setting.ts'
import { exit, print, say } from './output.ts'

/** `plumb check FILE`: assertions; exit status 1 when one fails, 3 when one cannot be judged. */
export async function runCheck(
  file: string,
  options: SettingOptions & { output: 'text' | 'junit' | 'json' },
): Promise<void> {
  const { parse } = await import('yaml')
  const assertions = readAssertions(parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 }))
  if (typeof assertions === 'string') {
    say(`plumb check: ${file}: ${assertions}`)
    process.exitCode = exit.usage
    return
  }
  const setting = await openSetting('plumb check', options)
  if (setting === undefined) return
  const results = check(setting, assertions)
  const { assumptions } = setting
  if (options.output === 'junit') print(renderJunit(results))
  else if (options.output === 'json')
    print(JSON.stringify({ schema: 'plumb.network/check/v1', results, assumptions }, null, 2))
  else {
    const marks = { passed: '✓', failed: '✗', broken: '?' } as const
    for (const { assertion, outcome, says } of results)
      print(`${marks[outcome]} ${nameOf(assertion)}${outcome === 'passed' ? '' : `: ${says}`}`)
    for (const assumption of assumptions) say(`taken for granted: ${assumption}`)
  }
  const broken = results.some(({ outcome }) => outcome === 'broken')
  const failed = results.some(({ outcome }) => outcome === 'failed')
  process.exitCode = failed ? exit.found : broken ? exit.cannot : exit.ok
}
