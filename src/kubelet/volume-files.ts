import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/** One file of a volume; `path` is relative to it. */
export interface VolumeFile {
  readonly path: string
  readonly content: string | Buffer
  /** Permission bits. */
  readonly mode: number
}

const dataName = '..data'

/**
 * Gives a volume its files, all at once, as kubelet's AtomicWriter does: they lie in a directory of their own, `..data` leads to the newest one, and
 * what a program opens leads through `..data`. So a program sees all files of one state, and a watch of `..data` tells of the next.
 `group`, if given, may read them (`fsGroup`).
 */
export function writeVolumeFiles(volume: string, files: readonly VolumeFile[], group?: number): void {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-T:]/g, '_')
  const state = `..${stamp}.${randomBytes(5).toString('hex')}`
  const placed = files.map(({ path, ...file }) => ({ ...file, path: join('/', path).slice(1) }))
  for (const { path, content, mode } of placed) {
    const file = join(volume, state, path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(file, content)
    // The umask must not take away what the pod asks for.
    chmodSync(file, group === undefined ? mode : mode | 0o440)
  }
  mkdirSync(join(volume, state), { recursive: true })
  if (group !== undefined) giveToGroup(join(volume, state), group)
  const before = stateOf(volume)
  symlinkSync(state, join(volume, '..data_tmp'))
  renameSync(join(volume, '..data_tmp'), join(volume, dataName))
  const wanted = new Set(placed.map(({ path }) => path.split('/')[0]!))
  const present = new Set(readdirSync(volume).filter((name) => !name.startsWith('..')))
  for (const name of wanted) if (!present.has(name)) symlinkSync(`${dataName}/${name}`, join(volume, name))
  for (const name of present) if (!wanted.has(name)) rmSync(join(volume, name))
  if (before !== undefined) rmSync(join(volume, before), { recursive: true, force: true })
}

/** Gives a directory and all that is in it to a group, which goes on to what is made there. */
function giveToGroup(directory: string, group: number): void {
  chownSync(directory, 0, group)
  chmodSync(directory, 0o2775)
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) giveToGroup(path, group)
    else chownSync(path, 0, group)
  }
}

function stateOf(volume: string): string | undefined {
  try {
    return readlinkSync(join(volume, dataName))
  } catch {
    return undefined
  }
}
