import { text } from 'node:stream/consumers'
import { runCni } from './plugin.ts'

/** The plugin as a program: this process's environment and standard input in, result and exit status out. */
export async function callCni(): Promise<void> {
  const outcome = await runCni(process.env, process.env.CNI_COMMAND === 'VERSION' ? '' : await text(process.stdin))
  process.stdout.write(outcome.stdout)
  process.exitCode = outcome.exitCode
}
