import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Manifest, parseManifests, renderProblem } from '../client/index.ts'

/** A manifest cannot be read; the message has a line per problem, each with its place. */
export class ManifestError extends Error {}

/** The objects of manifest files, of all `.yaml`, `.yml` and `.json` files of folders (not their sub-folders), and of `-`, standard input. */
export function readManifestPaths(paths: readonly string[]): Manifest[] {
  const manifests: Manifest[] = []
  const problems: string[] = []
  for (const path of paths.flatMap(filesOf)) {
    const parsed = parseManifests(readFileSync(path === '-' ? 0 : path, 'utf8'), path === '-' ? 'standard input' : path)
    manifests.push(...parsed.manifests)
    problems.push(...parsed.problems.map(renderProblem))
  }
  if (problems.length > 0) throw new ManifestError(problems.join('\n'))
  return manifests
}

function filesOf(path: string): string[] {
  if (path === '-') return [path]
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new ManifestError(`-f ${path}: there is no such file or folder`)
  if (!found.isDirectory()) return [path]
  const files = readdirSync(path).filter((name) => /\.(ya?ml|json)$/.test(name))
  if (files.length === 0) throw new ManifestError(`-f ${path}: the folder has no .yaml, .yml or .json file`)
  return files.sort().map((name) => join(path, name))
}
