import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { rehearse } from '../explain/index.ts'
import { readManifestPaths } from '../lab/index.ts'
import type { State } from '../ui/index.ts'
import { noFacts } from './ground.ts'
import type { OpenedSource } from './opened-source.ts'
import { answer, showIn } from './ui-answers.ts'

/** How often files are looked at. */
const lookMs = 1000

/** Manifests, read again when a file of theirs changes. Throws at once when they cannot be read. */
export function openManifests(paths: readonly string[]): OpenedSource {
  let sign = signOf(paths)
  let state: State | Error = read(paths)
  const listeners = new Set<() => void>()
  const timer = setInterval(() => {
    const now = signOf(paths)
    if (now === sign) return
    sign = now
    try {
      state = read(paths)
    } catch (error) {
      state = error as Error
    }
    for (const listener of listeners) listener()
  }, lookMs)
  const current = async (): Promise<State> => {
    if (state instanceof Error) throw state
    return state
  }
  return {
    source: {
      says: `manifests ${paths.join(', ')}`,
      blind: [],
      state: current,
      onChange: (changed) => {
        listeners.add(changed)
        return () => listeners.delete(changed)
      },
      why: async (asked) => {
        const now = await current()
        return answer(now, now, asked, [])
      },
      show: async (object) => showIn(await current(), object),
    },
    close: () => clearInterval(timer),
  }
}

function read(paths: readonly string[]): State {
  const { nameOf, ...rest } = rehearse(readManifestPaths(paths).map(({ object }) => object))
  return { ...rest, facts: noFacts, workloadOf: nameOf }
}

/** Names, sizes and times of the files: another text when one of them changes. */
function signOf(paths: readonly string[]): string {
  const files = paths.flatMap((path) => {
    const found = statSync(path, { throwIfNoEntry: false })
    return found?.isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path]
  })
  return files
    .map((file) => {
      const { mtimeMs, size } = statSync(file, { throwIfNoEntry: false }) ?? {}
      return `${file} ${mtimeMs} ${size}`
    })
    .join('\n')
}
