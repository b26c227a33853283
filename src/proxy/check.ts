import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Finding } from '../cluster/index.ts'
import { findComment, SectionFault } from '../haproxy/index.ts'
import { type Namespace, spawnIn } from '../host/index.ts'

const longestWords = 1000

/** Text or bytes by absolute path. */
type Files = ReadonlyMap<string, string | Buffer>

/** HAProxy would not start from a configuration, or none could be written down; the message says why in its words, 1,000 characters at most. */
export class ConfigRefused extends Error {
  /** The Ingress, Gateway or route whose section is at fault, as findings name it. */
  readonly object: string | undefined

  /** `comment` is that of the section, which begins with its object. */
  constructor(message: string, comment?: string) {
    super(message)
    this.object = comment?.split(' ', 1)[0]
  }
}

/** There is no program `haproxy` on this machine. */
export class HaproxyMissing extends Error {
  constructor() {
    super('haproxy is not installed: apt-get install -y haproxy')
  }
}

/**
 * Asks HAProxy about files that nobody lives from: `render` makes them for a folder of their own, which is gone afterwards.
 * Rejects with `ConfigRefused` or `HaproxyMissing`.
 */
export async function checkCandidate(
  namespace: Namespace,
  directory: string,
  render: (directory: string) => Files,
): Promise<void> {
  const candidate = `${directory}/next`
  rmSync(candidate, { recursive: true, force: true })
  try {
    const files = render(candidate)
    writeFiles(candidate, files)
    const config = `${candidate}/haproxy.cfg`
    const { code, words } = await runCheck(namespace, config)
    if (code === 0) return
    const line = /\[ALERT\].*haproxy\.cfg:(\d+)/.exec(words)?.[1]
    const comment = line === undefined ? undefined : findComment(String(files.get(config) ?? ''), Number(line))
    throw new ConfigRefused(shorten(words, `${candidate}/`) || `haproxy -c ends with ${code}`, comment)
  } finally {
    rmSync(candidate, { recursive: true, force: true })
  }
}

/** Writes files by their absolute paths, readable for their owner alone. */
export function writeFiles(directory: string, files: Files): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const [path, text] of files) {
    // A reader finds the old file or the new one, never a half.
    writeFileSync(`${path}.new`, text, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }
}

/** Removes files that the configuration does not need any more, by the endings of their names. */
export function removeOthers(directory: string, files: Files, endings: readonly string[]): void {
  for (const name of readdirSync(directory))
    if (endings.some((one) => name.endsWith(`.${one}`)) && !files.has(`${directory}/${name}`))
      rmSync(`${directory}/${name}`)
}

/** A fault in what makes the configuration is the same to those who wait for it as a refusal. */
export function orRefuse<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw new ConfigRefused((error as Error).message, error instanceof SectionFault ? error.comment : undefined)
  }
}

/** What `GET /findings` says while HAProxy refuses; `serves`: whether an earlier configuration goes on. */
export function refused({ message }: ConfigRefused, serves: boolean): Finding {
  const meanwhile = serves ? 'the one before goes on serving' : 'nothing is served'
  return {
    code: 'GatewayRefused',
    object: 'gateway',
    field: 'haproxy.cfg',
    says: `the configuration of the gateways is refused, and ${meanwhile}: ${message}`,
    try: 'change the Ingress, Gateway, route, Service or Secret that it speaks of; the last one that was changed is the likeliest',
  }
}

/** What it says of an object without which HAProxy takes the rest. */
export function leftOut({ message, object = '' }: ConfigRefused): Finding {
  return {
    code: 'GatewayRefused',
    object,
    field: 'haproxy.cfg',
    says: `HAProxy refuses what ${object} asks for, and the rest is served without it: ${message}`,
    try: `change ${object}, or the Services and Secrets that it names`,
  }
}

/** What `GET /findings` says while there is no HAProxy. */
export function missing({ message }: HaproxyMissing): Finding {
  return {
    code: 'HaproxyMissing',
    object: 'gateway',
    field: 'haproxy',
    says: message,
    try: 'apt-get install -y haproxy',
  }
}

function runCheck(namespace: Namespace, config: string): Promise<{ code: number | string; words: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | string; words: string }>()
  const child = spawnIn(namespace, 'haproxy', ['-c', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  child.stderr?.on('data', (data: Buffer) => {
    if (words.length < 64 * longestWords) words += data.toString()
  })
  child.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'ENOENT' ? new HaproxyMissing() : error))
  child.once('close', (code, signal) => resolve({ code: code ?? signal ?? 'no code', words }))
  return promise
}

/** Without process ids, folders and lines that are other ones each time, so that the same refusal reads the same. */
function shorten(words: string, candidate: string): string {
  const lines = words
    .replaceAll(candidate, '')
    .replace(/\(\d+\)\s*:\s*/g, '')
    .replace(/(haproxy\.cfg):\d+/g, '$1')
    .split('\n')
  const alerts = lines.filter((line) => line.includes('[ALERT]'))
  const told = (alerts.length > 0 ? alerts : lines).map((line) => line.replace(/\s+/g, ' ').trim())
  return told.join(' ').slice(0, longestWords)
}
