import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

let collect: Collect | undefined

/**
 * Gives the kernel back what a large piece of work left behind; V8 would keep it for the next one, however late that comes. Stops the
 * process meanwhile: 0.1 s with 50 MB in use, 0.3 s with 250 MB.
 */
export function releaseMemory(): void {
  if (collect === undefined) {
    // The only way to V8's collection of last resort, which alone moves objects together and unmaps the rest.
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as Collect
  }
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
