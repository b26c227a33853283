import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'
import type { StandInPort } from '../containers/index.ts'
import type { Container } from '../objects/index.ts'
import { expandReferences } from './environment.ts'
import type { LocalImage } from './kubelet-door.ts'

// POSIX 2.14 and the built-ins that make sense as a command of their own.
const shellBuiltins = new Set([
  'exec',
  'eval',
  'exit',
  'trap',
  'ulimit',
  'umask',
  'wait',
  'read',
  'set',
  'export',
  ':',
  '.',
])

// Images that start nothing of their own: what a pod gives as `args` is the command, and without it a shell.
const plainImages =
  /(?:^|\/)(?:busybox|alpine|debian|ubuntu|fedora|centos|rockylinux|almalinux|netshoot|toybox)(?:[:@][\w.:@-]+)?$/

/**
 * The program that a container runs on this machine, or undefined when there is none and a stand-in takes its place. Without
 * `command` the image decides what runs, and there are no images: only of some it is known that they start nothing of their own.
 */
export function findProgram(
  container: Container,
  environment: Readonly<Record<string, string>>,
  path: string,
  images: readonly LocalImage[] = [],
): string[] | undefined {
  const command = (container.command ?? []).map((word) => expandReferences(word, environment))
  const args = (container.args ?? []).map((word) => expandReferences(word, environment))
  if (command.length === 0 && plainImages.test(container.image ?? '')) {
    command.push(...args.splice(0))
    if (command.length === 0 && container.stdin) command.push('sh')
  }
  const local = command.length === 0 ? findLocalImage(container, images) : undefined
  if (local !== undefined) command.push(local.program)
  const program = command[0]
  if (program === undefined || program === '') return undefined
  if (isExecutable(program, path)) return [...command, ...args]
  if (shellBuiltins.has(program)) return ['/bin/sh', '-c', '"$@"', 'sh', ...command, ...args]
  return undefined
}

/** The local program of a container's image, the first whose pattern fits. */
export function findLocalImage(
  { image = '' }: Pick<Container, 'image'>,
  images: readonly LocalImage[],
): LocalImage | undefined {
  return images.find(({ pattern }) => {
    const [first = '', ...rest] = pattern.split('*')
    let at = first.length
    const last = rest.pop()
    if (!image.startsWith(first) || last === undefined) return image === pattern
    for (const piece of rest) {
      const found = image.indexOf(piece, at)
      if (found < 0) return false
      at = found + piece.length
    }
    return image.length >= at + last.length && image.endsWith(last)
  })
}

function isExecutable(program: string, path: string): boolean {
  const candidates = program.includes('/') ? [program] : path.split(':').map((folder) => join(folder, program))
  return candidates.some((candidate) => {
    try {
      accessSync(candidate, constants.X_OK)
      return candidate.startsWith('/') && statSync(candidate).isFile()
    } catch {
      return false
    }
  })
}

/** The ports on which a container's stand-in listens: those it declares and those its probes name. SCTP has no sockets here. */
export function standInPorts(container: Container): StandInPort[] {
  const ports = new Map<string, StandInPort>()
  const add = (protocol: string, port: number): void => {
    if (protocol === 'TCP' || protocol === 'UDP') ports.set(`${port}/${protocol}`, { protocol, port })
  }
  for (const { containerPort, protocol = 'TCP' } of container.ports ?? []) add(protocol, containerPort)
  for (const probe of [container.readinessProbe, container.livenessProbe, container.startupProbe]) {
    // A probe with a host asks someone else.
    if (probe?.httpGet?.host ?? probe?.tcpSocket?.host) continue
    const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? probe?.grpc?.port
    const number = port === undefined ? undefined : findPort(container, port)
    if (number !== undefined) add('TCP', number)
  }
  return [...ports.values()]
}

/** A port by number, or by the name that one of the container's ports has. */
export function findPort(container: Container, port: number | string): number | undefined {
  if (typeof port === 'number') return port
  const named = container.ports?.find(({ name }) => name === port)?.containerPort
  if (named !== undefined) return named
  return /^\d+$/.test(port) ? Number(port) : undefined
}
