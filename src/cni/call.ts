import { text } from 'node:stream/consumers'
import { type Called, runCni } from './plugin.ts'

/** The plugin as a program: this process's environment and standard input in, result and exit status out. */
export async function callCni(called?: Called): Promise<void> {
  const input = process.env.CNI_COMMAND === 'VERSION' ? '' : await text(process.stdin)
  const outcome = await runCni(process.env, input, called)
  process.stdout.write(outcome.stdout)
  process.exitCode = outcome.exitCode
}
