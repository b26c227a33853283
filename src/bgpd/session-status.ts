import type { BGPSession } from '../bgp/index.ts'
import type { BirdSession } from '../bird/index.ts'
import type { Client } from '../client/index.ts'
import { bgpPeers } from './objects.ts'

/** How long a peer may say nothing at all before that is called an error, in milliseconds. */
const silentMs = 5000

/** A peer that there is to be a session with. */
interface Wanted {
  readonly name: string
  readonly password: string | undefined
}

/** Keeps what this node says in the status of each BGPPeer, by server-side apply: each node owns its own entries. */
export class SessionStatus {
  readonly #client: Client
  readonly #node: string
  readonly #now: () => Date
  /** What the server has, by peer. */
  readonly #written = new Map<string, readonly BGPSession[]>()
  /** Since when packets to a peer have had neither an answer nor a refusal. */
  readonly #silentSince = new Map<string, number>()

  constructor(client: Client, node: string, now: () => Date = () => new Date()) {
    this.#client = client
    this.#node = node
    this.#now = now
  }

  /** Writes what has changed; a refusal is thrown after all have been tried, and tried again by the next call. */
  async tell(peers: readonly Wanted[], sessions: readonly BirdSession[]): Promise<void> {
    const failures: unknown[] = []
    const wanted = new Map(peers.map((peer) => [peer.name, peer]))
    for (const peer of new Set([...wanted.keys(), ...this.#written.keys()])) {
      const found = wanted.get(peer)
      const told = found === undefined ? [] : this.#sessionsOf(found, sessions)
      if (isSame(told, this.#written.get(peer) ?? [])) continue
      try {
        await this.#write(peer, told)
        if (told.length === 0) this.#written.delete(peer)
        else this.#written.set(peer, told)
      } catch (error) {
        // Without the object there is nobody to tell.
        if ((error as { code?: number }).code === 404) this.#written.delete(peer)
        else failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  #sessionsOf({ name: peer, password }: Wanted, sessions: readonly BirdSession[]): BGPSession[] {
    const own = sessionsWith(peer, sessions)
    // Of several neighbours on one link the best stands for the node.
    const best = own.find(({ state }) => state === 'Established') ?? own[0]
    const before = this.#written.get(peer)?.[0]
    const state = best?.state ?? 'Down'
    const lastError = best?.lastError ?? this.#silence(peer, state, password)
    return [
      {
        node: this.#node,
        state,
        ...(best?.neighbor === undefined ? {} : { neighbor: best.neighbor }),
        advertised: best?.exported ?? 0,
        ...(lastError === undefined ? {} : { lastError }),
        lastTransitionTime:
          before?.state === state ? before.lastTransitionTime : `${this.#now().toISOString().slice(0, 19)}Z`,
      },
    ]
  }

  /** The kernel drops packets with another key, or without one, and tells nobody (RFC 2385, section 2). */
  #silence(peer: string, state: string, password: string | undefined): string | undefined {
    if (state !== 'Connect' && state !== 'Active') {
      this.#silentSince.delete(peer)
      return undefined
    }
    const now = this.#now().getTime()
    const since = this.#silentSince.get(peer) ?? now
    this.#silentSince.set(peer, since)
    if (now - since < silentMs) return undefined
    const other = password === undefined ? 'asks for a password' : 'has another password'
    return `No answer: the router is not reached, or it ${other}`
  }

  async #write(peer: string, sessions: readonly BGPSession[]): Promise<void> {
    const { group, version, kind } = bgpPeers
    const body = { apiVersion: `${group}/${version}`, kind, metadata: { name: peer }, status: { sessions } }
    await this.#client.patch(bgpPeers, undefined, peer, 'apply', body, {
      subresource: 'status',
      fieldManager: `plumb-agent-${this.#node}`,
      force: true,
    })
  }
}

/** The sessions with a BGPPeer: of an unnumbered one, those with each neighbour on the link. */
function sessionsWith(peer: string, sessions: readonly BirdSession[]): readonly BirdSession[] {
  const dynamic = `${peer.replace(/[^A-Za-z0-9_]/g, '_')}_`
  return sessions.filter(
    ({ name }) => name === peer || (name.startsWith(dynamic) && /^\d+$/.test(name.slice(dynamic.length))),
  )
}

/** The names of the peers that there is a session with. */
export function establishedOf(
  peers: readonly Pick<Wanted, 'name'>[],
  sessions: readonly BirdSession[],
): ReadonlySet<string> {
  const isUp = (name: string) => sessionsWith(name, sessions).some(({ state }) => state === 'Established')
  return new Set(peers.flatMap(({ name }) => (isUp(name) ? [name] : [])))
}

function isSame(a: readonly BGPSession[], b: readonly BGPSession[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
