import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { Archive } from './archive.ts'
import type { Kernel } from './kernel.ts'

const root = resolve(import.meta.dirname, '../..')
/** What tests call, beside Node. */
const programs = ['sh', 'mount', 'ip', 'nft', 'unshare', 'env', 'perl']
/** What some tests call and skip themselves without. */
const optional = [
  ...['sleep', 'curl', 'cat', 'conntrack', 'ipset', 'ipvsadm'],
  ...['iptables', 'ip6tables'].flatMap((tool) => [tool, `${tool}-save`, `${tool}-restore`]),
]

export interface Outcome {
  /** Of the program in the machine; undefined when the machine ended before it. */
  readonly code: number | undefined
  /** What it said, on either output. */
  readonly output: string
  /** What the kernel said. */
  readonly kernelLog: string
}

/** A text that says why there can be no machine; undefined when there can. */
export function whyNoMachine(): string | undefined {
  try {
    execFileSync('qemu-system-x86_64', ['--version'], { stdio: 'ignore' })
  } catch {
    return 'qemu-system-x86_64 is not installed (Debian: apt-get install qemu-system-x86)'
  }
  return undefined
}

/**
 * Boots a kernel in an emulated machine (no KVM is asked for) on a root file system in memory with Node, nft, ip and this repository, and
 * runs Node there with these arguments, in the repository's folder.
 */
export async function runInMachine(
  kernel: Kernel,
  args: readonly string[],
  onOutput: (piece: Buffer) => void = () => {},
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'plumb-vm-'))
  try {
    const initrd = join(folder, 'initrd')
    writeFileSync(initrd, rootFileSystem(kernel, args))
    const log = join(folder, 'kernel.log')
    // The timer is not checked: on a busy machine the check fails, and the kernel gives up.
    const command = [
      '-kernel',
      kernel.image,
      '-initrd',
      initrd,
      '-append',
      'console=ttyS0 panic=-1 loglevel=5 no_timer_check',
    ]
    const machine = ['-M', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '3072']
    const ends = ['-display', 'none', '-nodefaults', '-no-reboot', '-serial', `file:${log}`, '-serial', 'stdio']
    const qemu = spawn('qemu-system-x86_64', [...machine, ...command, ...ends], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const end = (): void => void qemu.kill('SIGKILL')
    process.once('exit', end)
    const pieces: Buffer[] = []
    for await (const piece of qemu.stdout) {
      pieces.push(piece as Buffer)
      onOutput(piece as Buffer)
    }
    process.off('exit', end)
    const said = Buffer.concat(pieces).toString().replaceAll('\r\n', '\n')
    const [output = '', code] = said.split(exitMark)
    return { code: code === undefined ? undefined : Number(code), output, kernelLog: readFileSync(log, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const exitMark = '\u0004exit '

function rootFileSystem(kernel: Kernel, args: readonly string[]): Buffer {
  const archive = new Archive()
  for (const path of ['/proc', '/sys', '/dev', '/tmp', '/run', '/var/lib', '/root']) archive.folder(path)
  archive.write('/init', init(args))
  addPrograms(archive, kernel.kmod)
  addModules(archive, kernel.modules, kernel.release)
  addRepository(archive)
  return archive.bytes()
}

function init(args: readonly string[]): string {
  const quoted = args.map((one) => `'${one.replaceAll("'", "'\\''")}'`).join(' ')
  return `#!/bin/sh
export PATH=/repo/node_modules/.bin:/bin HOME=/root TMPDIR=/tmp NO_COLOR=1 NODE_DISABLE_COMPILE_CACHE=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
ip link set lo up
cd /repo
exec </dev/null >/dev/ttyS1 2>&1
node ${quoted}
printf '\\004exit %d' $?
echo b >/proc/sysrq-trigger
`
}

const xtables = '/usr/lib/x86_64-linux-gnu/xtables'
const kubeProxy = process.env.PLUMB_KUBE_PROXY ?? tryFind('kube-proxy')[0]

/** Programs with the libraries that they load, where the loader looks for them. */
function addPrograms(archive: Archive, kmod: string): void {
  const node = realpathSync(join(root, 'node_modules/.bin/node'))
  const found = [
    ...programs.map((name) => [name, find(name)] as const),
    ...optional.flatMap((name) => tryFind(name).map((path) => [name, path] as const)),
    ...(kubeProxy === undefined ? [] : [['kube-proxy', kubeProxy] as const]),
  ]
  for (const [name, path] of found) archive.copy(realpathSync(path), `/bin/${name}`)
  const paths = found.map(([, path]) => path)
  archive.copy(node, '/repo/node_modules/.bin/node')
  archive.copy(kmod, '/bin/kmod')
  archive.link('/sbin/modprobe', '/bin/kmod')
  const listed = execFileSync('ldd', [node, kmod, ...paths], { encoding: 'utf8' })
  for (const [, library = ''] of listed.matchAll(/(\/\S+) \(0x/g)) archive.copy(realpathSync(library), library)
  // iptables' matches and targets.
  if (existsSync(xtables)) archive.copy(xtables)
  // What Debian's essential perl needs.
  archive.copy('/usr/lib/x86_64-linux-gnu/perl-base')
  for (const file of ['/etc/protocols', '/etc/services', '/etc/passwd', '/etc/group']) archive.copy(file)
}

function tryFind(program: string): string[] {
  try {
    return [find(program)]
  } catch {
    return []
  }
}

function find(program: string): string {
  const script = `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim()
}

/** The modules of networking, which the kernel loads when it first needs them. */
function addModules(archive: Archive, modules: string, release: string): void {
  const into = `/lib/modules/${release}`
  for (const name of readdirSync(modules).filter((one) => one.startsWith('modules.')))
    archive.copy(join(modules, name), join(into, name))
  for (const part of ['net', 'lib', 'crypto', 'drivers/net'])
    archive.copy(join(modules, 'kernel', part), join(into, 'kernel', part))
}

function addRepository(archive: Archive): void {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object }
  const wanted = [...Object.keys(dependencies), 'fast-check']
  for (const folder of packagesFor(wanted))
    archive.copy(folder, folder.replace(root, '/repo'), (name) => name !== 'node_modules')
  for (const name of ['package.json', 'src', 'test', 'crds', 'bench'])
    archive.copy(join(root, name), join('/repo', name))
}

/** The folders of packages and of what they depend on. */
function packagesFor(names: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (name: string, from: string): void => {
    for (let at = from; at.startsWith(root); at = dirname(at)) {
      const folder = join(at, 'node_modules', name)
      let text: string
      try {
        text = readFileSync(join(folder, 'package.json'), 'utf8')
      } catch {
        continue
      }
      if (found.has(folder)) return
      found.add(folder)
      const { dependencies = {}, optionalDependencies = {} } = JSON.parse(text) as Record<
        string,
        Record<string, string>
      >
      for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next, folder)
      return
    }
  }
  for (const name of names) visit(name, root)
  return found
}
