import assert from 'node:assert/strict'
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Namespace, Network } from './contract.ts'
import { check, fileError } from './errno.ts'
import { libc } from './libc.ts'
import { LinuxNetwork } from './network.ts'

const CLONE_NEWNET = 0x40000000
const threadNamespace = '/proc/thread-self/ns/net'

/** The namespace that the thread is in now; every switch goes through `run`, which nests. */
let current: LinuxNamespace | undefined

/** A network namespace held by a close-on-exec descriptor: when the process ends, however it ends, the namespace goes with it. */
export class LinuxNamespace implements Namespace {
  readonly fd: number
  readonly inode: bigint
  #network: LinuxNetwork | undefined
  #closed = false

  /** Takes the descriptor over. */
  constructor(fd: number) {
    this.fd = fd
    this.inode = fstatSync(fd, { bigint: true }).ino
  }

  get path(): string {
    return `/proc/${process.pid}/fd/${this.fd}`
  }

  get network(): Network {
    assert(!this.#closed, 'the namespace is closed')
    this.#network ??= new LinuxNetwork(this)
    return this.#network
  }

  run<T>(work: () => T): T {
    assert(!this.#closed, 'the namespace is closed')
    const previous = current
    assert(previous !== undefined, 'no host is open')
    if (previous === this) return work()
    check(`enter network namespace ${this.inode}`, libc().setns(this.fd, CLONE_NEWNET))
    current = this
    try {
      const result = work()
      assert(!(result instanceof Promise), 'work inside a namespace must be synchronous')
      return result
    } finally {
      current = previous
      check(`return to network namespace ${previous.inode}`, libc().setns(previous.fd, CLONE_NEWNET))
    }
  }

  close(): void {
    if (this.#closed) return
    assert(current !== this, 'the thread is inside the namespace')
    this.#network?.close()
    this.#closed = true
    closeSync(this.fd)
  }
}

/** The namespace of the calling thread, which `run` returns to. */
export function openOwnNamespace(): LinuxNamespace {
  current ??= new LinuxNamespace(openSync(threadNamespace, 'r'))
  return current
}

/** Makes a network namespace and brings its `lo` up. */
export function createNamespace(): LinuxNamespace {
  const previous = openOwnNamespace()
  const step = 'create network namespace'
  check(step, libc().unshare(CLONE_NEWNET))
  let made: LinuxNamespace
  try {
    made = new LinuxNamespace(openSync(threadNamespace, 'r'))
  } finally {
    check(`return to network namespace ${previous.inode}`, libc().setns(previous.fd, CLONE_NEWNET))
  }
  made.network.setLink('lo', { up: true })
  return made
}

/** Opens a namespace by path (`/proc/<pid>/ns/net`, `/run/netns/NAME`). */
export function openNamespace(path: string): LinuxNamespace {
  const step = `open network namespace ${path}`
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    throw fileError(step, error)
  }
  const namespace = new LinuxNamespace(fd)
  try {
    openOwnNamespace()
    // The kernel says EINVAL here when the path is no network namespace.
    namespace.run(() => {})
  } catch (error) {
    namespace.close()
    throw error
  }
  return namespace
}
