import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where a node's container runtime looks for CNI. */
export interface CniPlaces {
  readonly binDir: string
  readonly confDir: string
  /** Where the node's agent listens. */
  readonly socket: string
}

const ownFolder = 'plumb.d'
/** What the plugin is made of: no package, no other folder. */
const sources = ['main.ts', 'call.ts', 'plugin.ts', 'ask-agent.ts']

/**
 * Puts the plugin into a node's folder of CNI plugins, with a Node of its own, `loopback` beside it where there is none, and then its configuration: a runtime that
 * finds the configuration finds the plugins. Each file is put in place whole, as the runtime may call at any moment.
 */
export function installCni({ binDir, confDir, socket }: CniPlaces): void {
  const own = join(binDir, ownFolder)
  mkdirSync(own, { recursive: true })
  mkdirSync(confDir, { recursive: true })
  for (const name of sources) put(join(own, name), (path) => copyFileSync(join(import.meta.dirname, name), path))
  put(join(own, 'package.json'), (path) => writeFileSync(path, '{"type":"module"}\n'))
  put(join(own, 'node'), (path) => {
    copyFileSync(process.execPath, path)
    chmodSync(path, 0o755)
  })
  put(join(binDir, 'plumb'), (path) => writeFileSync(path, program('plumb', socket), { mode: 0o755 }))
  const loopback = join(binDir, 'loopback')
  if (isOursOrMissing(loopback))
    put(loopback, (path) => writeFileSync(path, program('loopback', socket), { mode: 0o755 }))
  const configuration = { cniVersion: '1.0.0', name: 'plumb', plugins: [{ type: 'plumb', socket }] }
  put(join(confDir, '10-plumb.conflist'), (path) => writeFileSync(path, `${JSON.stringify(configuration, null, 2)}\n`))
}

/** What the runtime starts. What is compiled is kept: a compiler for TypeScript at each pod's start would take 60 ms. */
function program(plugin: string, socket: string): string {
  const quoted = `'${socket.replaceAll("'", "'\\''")}'`
  return `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/${ownFolder}
NODE_COMPILE_CACHE=$here/compiled exec "$here/node" "$here/main.ts" ${plugin} ${quoted}
`
}

/** Upstream's plugin of that name stays where it is. */
function isOursOrMissing(path: string): boolean {
  return !existsSync(path) || readFileSync(path).subarray(0, 1024).includes(`/${ownFolder}\n`)
}

function put(path: string, write: (path: string) => void): void {
  const fresh = `${path}.new`
  write(fresh)
  renameSync(fresh, path)
}
