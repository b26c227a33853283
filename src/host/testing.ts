import type { TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Address, parseAddress } from '../addr/index.ts'
import { type Host, HostError, type Namespace } from './contract.ts'
import { openHost } from './open-host.ts'

/** Two namespaces joined by a veth `eth0`, with addresses of both families at each end. */
export interface Pair {
  readonly host: Host
  readonly left: Namespace
  readonly right: Namespace
  readonly leftAddress: Readonly<Record<4 | 6, Address>>
  readonly rightAddress: Readonly<Record<4 | 6, Address>>
}

/** Namespaces for one test, closed after it. Undefined, and the test skipped, without privileges; in CI that is a failure. */
export function makeNamespaces(t: TestContext, count: number): { host: Host; namespaces: Namespace[] } | undefined {
  const host = openHost()
  const namespaces: Namespace[] = []
  t.after(() => {
    for (const namespace of namespaces) namespace.close()
  })
  try {
    for (let i = 0; i < count; i++) namespaces.push(host.createNamespace())
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'denied' || process.env.CI !== undefined) throw error
    t.skip(error.message)
    return undefined
  }
  return { host, namespaces }
}

/** A `Pair` for one test, removed after it; undefined when namespaces are denied. */
export function makePair(t: TestContext): Pair | undefined {
  const made = makeNamespaces(t, 2)
  const [left, right] = made?.namespaces ?? []
  if (made === undefined || left === undefined || right === undefined) return undefined
  left.network.addVeth({ name: 'eth0', peerName: 'eth0', peerNamespace: right })
  const ends = [
    { namespace: left, addresses: { 4: parseAddress('192.0.2.1'), 6: parseAddress('2001:db8::1') } },
    { namespace: right, addresses: { 4: parseAddress('192.0.2.2'), 6: parseAddress('2001:db8::2') } },
  ] as const
  for (const { namespace, addresses } of ends) {
    namespace.network.setLink('eth0', { up: true })
    namespace.network.addAddress('eth0', addresses[4], 24)
    namespace.network.addAddress('eth0', addresses[6], 64)
  }
  return { host: made.host, left, right, leftAddress: ends[0].addresses, rightAddress: ends[1].addresses }
}

/** Waits, turn by turn of the event loop, until `ready` gives something; the test's own timeout bounds it. */
export async function until<T>(ready: () => T | undefined | false): Promise<T> {
  for (;;) {
    const value = ready()
    if (value !== undefined && value !== false) return value
    await setImmediate()
  }
}
