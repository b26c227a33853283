import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Events } from './events.ts'
import type { Agents, FlowKind, FlowsSeen } from './source.ts'

/** How often agents are asked while somebody looks. */
const askMs = 1000
/** So many rows are told to whoever begins to look. */
const kept = 300

/** The flows of one kind, live: agents are asked while somebody looks, once for all who do. */
export class FlowFeed {
  readonly #agents: Agents
  readonly #kind: FlowKind
  readonly #events = new Events()
  readonly #points = new Map<string, number>()
  #rows: FlowsSeen['rows'] = []
  #isAsking = false

  constructor(agents: Agents, kind: FlowKind) {
    this.#agents = agents
    this.#kind = kind
  }

  /** False when there are too many who look. */
  add(request: IncomingMessage, response: ServerResponse): boolean {
    if (!this.#events.add(request, response, [['flows', { rows: this.#rows, unasked: [] }]])) return false
    void this.#follow()
    return true
  }

  close(): void {
    this.#events.close()
  }

  async #follow(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    let told = ''
    while (this.#events.size > 0) {
      const seen = await this.#ask()
      const unasked = JSON.stringify(seen.unasked)
      if (seen.rows.length > 0 || unasked !== told) this.#events.tell('flows', seen)
      told = unasked
      this.#rows = [...this.#rows, ...seen.rows].slice(-kept)
      await pause(askMs)
    }
    this.#isAsking = false
  }

  async #ask(): Promise<FlowsSeen> {
    try {
      return await this.#agents.askFlows(this.#kind, this.#points)
    } catch (error) {
      return { rows: [], unasked: [{ node: 'agents', says: (error as Error).message }] }
    }
  }
}
