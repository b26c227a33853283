import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { test } from 'node:test'

interface Layer {
  /** A folder below src. */
  folder: string
  /** What it may import, each listed before it. */
  may: string[]
  /** Opens files, sockets and processes. */
  door?: boolean
  /** The only files that may import a backend's language. */
  backend?: string[]
}

const root = resolve(import.meta.dirname, '..')
const source = join(root, 'src')
const { layers } = JSON.parse(readFileSync(join(root, 'layers.json'), 'utf8')) as { layers: Layer[] }
const byFolder = new Map(layers.map((layer) => [layer.folder, layer]))

/** Languages of a backend: meaning must not know them. */
const backends = new Set(['nft', 'netlink', 'haproxy', 'bird'])
/** Modules that reach the world. */
const doors =
  /^(node:)?(fs|net|tls|dgram|http|https|http2|child_process|worker_threads|sqlite|dns|cluster)(\/.*)?$|^(koffi|ws|pino|prom-client)$/

interface Import {
  file: string
  folder: string
  target: string
  isType: boolean
}

function filesOf(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? filesOf(path) : path.endsWith('.ts') ? [path] : []
  })
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8')
  const folder = relative(source, path).split(sep)[0] ?? ''
  const file = relative(root, path)
  const found = text.matchAll(
    /^\s*(import|export)\s+(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]/gm,
  )
  return [...found].map((match) => ({
    file,
    folder,
    target: match[3] ?? match[4] ?? match[5] ?? '',
    isType: match[2] !== undefined,
  }))
}

const isTest = (file: string) => /\.(test|fixture)\.ts$/.test(file)
const imports = filesOf(source).flatMap(importsOf)

test('every folder below src is a layer, and lists only layers before it', () => {
  const folders = readdirSync(source)
  assert.deepEqual(
    folders.filter((folder) => !byFolder.has(folder)),
    [],
    'folders that layers.json does not know',
  )
  const before = new Set<string>()
  for (const { folder, may } of layers) {
    for (const other of may)
      assert.ok(before.has(other), `${folder} may import ${other}, which is not listed before it`)
    before.add(folder)
  }
})

test('a folder imports only what its layer allows, and only by the front door', () => {
  const wrong: string[] = []
  for (const { file, folder, target } of imports) {
    if (!target.startsWith('.') || isTest(file)) continue
    const path = relative(source, resolve(dirname(join(root, file)), target)).split(sep)
    const other = path[0] ?? ''
    if (other === folder) continue
    if (other === '..') wrong.push(`${file}: ${target} lies outside src`)
    else if (!byFolder.get(folder)?.may.includes(other)) wrong.push(`${file}: ${folder} may not import ${other}`)
    else if (path.length !== 2 || path[1] !== 'index.ts')
      wrong.push(`${file}: ${target} is not the front door of ${other}`)
  }
  assert.deepEqual(wrong, [])
})

test('meaning never imports a backend', () => {
  const wrong = imports
    .filter(({ file, folder, target }) => {
      const layer = byFolder.get(folder)
      const other = /^\.\.\/([a-z]+)\/index\.ts$/.exec(target)?.[1]
      return (
        layer?.backend !== undefined &&
        other !== undefined &&
        backends.has(other) &&
        !isTest(file) &&
        !layer.backend.includes(file.split('/').at(-1) ?? '')
      )
    })
    .map(({ file, target }) => `${file}: ${target}`)
  assert.deepEqual(wrong, [])
})

test('only doors open files, sockets and processes', () => {
  const wrong = imports
    .filter(
      ({ file, folder, target, isType }) =>
        doors.test(target) && !isType && byFolder.get(folder)?.door !== true && !isTest(file),
    )
    // isIPv4 and isIPv6 are pure functions that happen to live there.
    .filter(({ file, target }) => !(file === 'src/addr/address.ts' && target === 'node:net'))
    .map(({ file, target }) => `${file}: ${target}`)
  assert.deepEqual(wrong, [])
})

test('concepts do not import one another', () => {
  const concepts = ['ipam', 'pods', 'endpoints', 'services', 'policies', 'egress', 'announce', 'bgp', 'gateways', 'dns']
  for (const concept of concepts) {
    for (const other of byFolder.get(concept)?.may ?? []) assert.ok(!concepts.includes(other), `${concept} → ${other}`)
  }
})
