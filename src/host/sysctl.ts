import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileError } from './errno.ts'

/** Reads a sysctl of the thread's network namespace. /proc/sys/net shows the namespace of the task that opens the file. */
export function readSysctl(name: string): string {
  try {
    return readFileSync(pathOf(name), 'utf8').trim()
  } catch (error) {
    throw fileError(`read sysctl ${name}`, error)
  }
}

/** Writes a sysctl of the thread's network namespace. */
export function writeSysctl(name: string, value: string | number): void {
  try {
    writeFileSync(pathOf(name), String(value))
  } catch (error) {
    throw fileError(`set sysctl ${name} to ${value}`, error)
  }
}

/** As sysctl(8): dots separate, and a slash stands for a dot within a name (`net.ipv4.conf.eth0/100.forwarding`). */
function pathOf(name: string): string {
  assert(/^net(\.[^.]+)+$/.test(name), `sysctl ${name} is not below net`)
  const parts = name.split('.').map((part) => part.replaceAll('/', '.'))
  assert(!parts.includes('..'), `sysctl ${name} leaves /proc/sys`)
  return `/proc/sys/${parts.join('/')}`
}
