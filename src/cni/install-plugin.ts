import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where a node's container runtime looks for CNI. */
export interface CniPlaces {
  readonly binDir: string
  readonly confDir: string
  /** Where the node's agent listens. */
  readonly socket: string
}

/** What the plugin is made of: no package, no other folder. */
const sources = ['main.ts', 'call.ts', 'plugin.ts', 'ask-agent.ts']

/**
 * Puts the plugin into a node's folder of CNI plugins, with a Node of its own, and then its configuration: a runtime that finds the configuration
 * finds the plugin. Each file is put in place whole, as the runtime may call at any moment.
 */
export function installCni({ binDir, confDir, socket }: CniPlaces): void {
  const own = join(binDir, 'plumb.d')
  mkdirSync(own, { recursive: true })
  mkdirSync(confDir, { recursive: true })
  for (const name of sources) put(join(own, name), (path) => copyFileSync(join(import.meta.dirname, name), path))
  put(join(own, 'package.json'), (path) => writeFileSync(path, '{"type":"module"}\n'))
  put(join(own, 'node'), (path) => {
    copyFileSync(process.execPath, path)
    chmodSync(path, 0o755)
  })
  const script = '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")/plumb.d\nexec "$here/node" "$here/main.ts"\n'
  put(join(binDir, 'plumb'), (path) => writeFileSync(path, script, { mode: 0o755 }))
  const configuration = { cniVersion: '1.0.0', name: 'plumb', plugins: [{ type: 'plumb', socket }] }
  put(join(confDir, '10-plumb.conflist'), (path) => writeFileSync(path, `${JSON.stringify(configuration, null, 2)}\n`))
}

function put(path: string, write: (path: string) => void): void {
  const fresh = `${path}.new`
  write(fresh)
  renameSync(fresh, path)
}
