import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '../addr/index.ts'
import type { Host } from '../host/index.ts'

/** Where container engines keep network namespaces by name. */
const folders = ['/run/netns', '/run/docker/netns']
const maxNamespaces = 2000

/** The network namespaces of this machine by the addresses that they have, this one left out: those of its pods. Needs root. */
export function findNamespaces(host: Host): ReadonlyMap<Address, string> {
  const seen = new Set([host.own.inode])
  const found = new Map<Address, string>()
  for (const path of [...namedNamespaces(), ...processNamespaces()]) {
    if (seen.size > maxNamespaces) break
    const inode = inodeOf(path)
    if (inode === undefined || seen.has(inode)) continue
    seen.add(inode)
    try {
      const namespace = host.openNamespace(path)
      for (const { address } of namespace.network.addresses()) if (!found.has(address)) found.set(address, path)
      namespace.close()
    } catch {
      // It has ended since, or may not be entered.
    }
  }
  return found
}

function namedNamespaces(): readonly string[] {
  return folders.flatMap((folder) => list(folder).map((name) => join(folder, name)))
}

function processNamespaces(): readonly string[] {
  return list('/proc').flatMap((name) => (/^\d+$/.test(name) ? [`/proc/${name}/ns/net`] : []))
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function inodeOf(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true }).ino
  } catch {
    return undefined
  }
}

/** Whether a process of that name runs in this network namespace; undefined where processes of others cannot be seen. */
export function runsHere(host: Host, name: string): boolean | undefined {
  let blind = false
  for (const pid of list('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      // The kernel keeps 15 characters (TASK_COMM_LEN, linux/sched.h).
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== name.slice(0, 15)) continue
      if (readlinkSync(`/proc/${pid}/ns/net`) === `net:[${host.own.inode}]`) return true
    } catch {
      blind ||= inodeOf(`/proc/${pid}`) !== undefined
    }
  }
  return blind ? undefined : false
}
