// node scripts/complete-lock.ts
// Adds to package-lock.json the optional packages of other platforms that a registry did not have when the lock was written.
// `npm ci` wants every one of them named there; on this platform they are skipped by `os` and `cpu`, and never fetched.
import { readFileSync, writeFileSync } from 'node:fs'

interface Entry {
  version?: string
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const systems = ['android', 'darwin', 'freebsd', 'netbsd', 'openbsd', 'linux', 'openharmony', 'sunos', 'aix', 'win32']
const processors = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el', 'wasm32']

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, Entry> }
const added: string[] = []
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    if (lock.packages[key] !== undefined) continue
    const words = name.split(/[-/]/)
    const system = words.find((word) => systems.includes(word))
    const processor = words.find((word) => processors.includes(word))
    if (system === undefined || processor === undefined)
      throw new Error(`${name}: no platform in its name; add it by hand`)
    lock.packages[key] = {
      version: version.replace(/^[\^~]/, ''),
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
      os: [system],
      cpu: [processor],
    }
    added.push(name)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.error(`${added.length} packages of other platforms added`)
