import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { type InstallOptions, installObjects } from '../install/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { exit, print, say } from './output.ts'

const definitions = join(import.meta.dirname, '../../crds')

/** Prints the objects of an installation as YAML. */
export async function runInstall(
  options: Omit<InstallOptions, 'apiServer'> & { apiServer: string; crds: boolean },
): Promise<void> {
  const apiServer = readHostPort(options.apiServer)
  if (apiServer === undefined) {
    say(
      `plumb install: --api-server "${options.apiServer}" is not HOST:PORT; write it as 10.0.0.10:6443 or [fd00::10]:6443`,
    )
    process.exitCode = exit.usage
    return
  }
  const objects = installObjects({ ...options, apiServer }, options.crds ? await readDefinitions() : [])
  print(objects.map((object) => stringify(object, { lineWidth: 0 })).join('---\n'))
  say(
    'kube-proxy and other CNI plugins must be gone before this is applied: kubectl -n kube-system delete daemonset kube-proxy',
  )
}

function readHostPort(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  return host === undefined || Number(port) < 1 || Number(port) > 65535 ? undefined : { host, port: Number(port) }
}

/** The definitions of the kinds that Plumb follows, or of one group's (`plumb`: its own). */
export async function readDefinitions(of = ''): Promise<KubeObject[]> {
  const folder = join(definitions, of)
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(json|yaml)$/.test(name)).sort()
  return Promise.all(names.map(async (name) => parse(await readFile(join(folder, name), 'utf8')) as KubeObject))
}
