import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** A kernel with its modules, and the program that loads them. */
export interface Kernel {
  /** As in `uname -r`. */
  readonly release: string
  readonly image: string
  /** The folder of its modules, with `modules.dep`. */
  readonly modules: string
  /** The program that loads them. */
  readonly kmod: string
}

/** Debian's kernels for virtual machines, by series; each lies unpacked in the cache, or is fetched with apt. */
const packages = {
  '6.1': '^linux-image-6\\.1\\.0-[0-9]+-cloud-amd64$',
  '6.12': '^linux-image-6\\.12\\.[0-9]+.*-cloud-amd64$',
} as const

export type Series = keyof typeof packages

const cache = resolve(import.meta.dirname, '../../node_modules/.cache/plumb-vm')

/** Finds or fetches a kernel of this series; a text that says why there is none. `PLUMB_VM_KERNELS` names a folder of unpacked packages, one folder each. */
export function findKernel(series: Series): Kernel | string {
  if (process.arch !== 'x64') return `the rig knows kernels for x86-64 only, not for ${process.arch}`
  try {
    const kmod = join(fetch('kmod', ['kmod']), 'bin/kmod')
    const kernels = process.env.PLUMB_VM_KERNELS
    const known = kernels === undefined ? [] : readdirSync(kernels).map((name) => join(kernels, name))
    for (const root of known) {
      const kernel = kernelIn(root, kmod)
      if (kernel?.release.startsWith(`${series}.`)) return kernel
    }
    const cached = join(cache, `linux-${series}`)
    const name = existsSync(cached) ? [] : [newest(packages[series])]
    return kernelIn(fetch(`linux-${series}`, name), kmod) ?? `${cached} holds no kernel: remove it`
  } catch (error) {
    return `no kernel of the series ${series} can be had with apt: ${(error as Error).message.split('\n')[0]}`
  }
}

function kernelIn(root: string, kmod: string): Kernel | undefined {
  const boot = join(root, 'boot')
  const image = existsSync(boot) ? readdirSync(boot).find((name) => name.startsWith('vmlinuz-')) : undefined
  if (image === undefined) return undefined
  const release = image.slice('vmlinuz-'.length)
  const modules = join(root, 'lib/modules', release)
  // What the installation of the package would have done.
  if (!existsSync(join(modules, 'modules.dep'))) spawnSync(kmod, ['-b', root, release], { argv0: 'depmod' })
  return { release, image: join(boot, image), modules, kmod }
}

function newest(pattern: string): string {
  const found = execFileSync('apt-cache', ['search', '--names-only', pattern], { encoding: 'utf8' })
  const names = found.split('\n').flatMap((line) => line.split(' ')[0] || [])
  const name = names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  if (name === undefined) throw new Error(`apt knows no package like ${pattern}`)
  return name
}

/** Unpacks these packages into a folder of the cache; what is there already stays. */
function fetch(folder: string, names: readonly string[]): string {
  const done = join(cache, folder)
  if (existsSync(done)) return done
  const work = join(cache, `${folder}.${process.pid}`)
  mkdirSync(join(work, 'root'), { recursive: true })
  try {
    execFileSync('apt-get', ['download', ...names], { cwd: work, stdio: ['ignore', 'ignore', 'pipe'] })
    for (const name of readdirSync(work).filter((one) => one.endsWith('.deb')))
      execFileSync('dpkg-deb', ['-x', join(work, name), join(work, 'root')])
    renameSync(join(work, 'root'), done)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return done
}
