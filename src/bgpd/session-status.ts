import type { BGPSession } from '../bgp/index.ts'
import type { BirdSession } from '../bird/index.ts'
import type { Client } from '../client/index.ts'
import { bgpPeers } from './objects.ts'

/** Keeps what this node says in the status of each BGPPeer, by server-side apply: each node owns its own entries. */
export class SessionStatus {
  readonly #client: Client
  readonly #node: string
  readonly #now: () => Date
  /** What the server has, by peer. */
  readonly #written = new Map<string, readonly BGPSession[]>()

  constructor(client: Client, node: string, now: () => Date = () => new Date()) {
    this.#client = client
    this.#node = node
    this.#now = now
  }

  /** Writes what has changed; a refusal is thrown after all have been tried, and tried again by the next call. */
  async tell(peers: readonly string[], sessions: readonly BirdSession[]): Promise<void> {
    const failures: unknown[] = []
    for (const peer of new Set([...peers, ...this.#written.keys()])) {
      const told = peers.includes(peer) ? this.#sessionsOf(peer, sessions) : []
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

  #sessionsOf(peer: string, sessions: readonly BirdSession[]): BGPSession[] {
    const dynamic = `${peer.replace(/[^A-Za-z0-9_]/g, '_')}_`
    const own = sessions.filter(
      ({ name }) => name === peer || (name.startsWith(dynamic) && /^\d+$/.test(name.slice(dynamic.length))),
    )
    // Of several neighbours on one link the best stands for the node.
    const best = own.find(({ state }) => state === 'Established') ?? own[0]
    const before = this.#written.get(peer)?.[0]
    const state = best?.state ?? 'Down'
    return [
      {
        node: this.#node,
        state,
        ...(best?.neighbor === undefined ? {} : { neighbor: best.neighbor }),
        advertised: best?.exported ?? 0,
        ...(best?.lastError === undefined ? {} : { lastError: best.lastError }),
        lastTransitionTime:
          before?.state === state ? before.lastTransitionTime : `${this.#now().toISOString().slice(0, 19)}Z`,
      },
    ]
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

function isSame(a: readonly BGPSession[], b: readonly BGPSession[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
