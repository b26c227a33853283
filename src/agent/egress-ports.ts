import { findAddress } from '../addr/index.ts'
import { type PastUse, PortJournal } from '../egress/index.ts'
import type { Network } from '../host/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import type { Log, SocketRoute } from './contract.ts'
import { BadQuestion } from './question.ts'

/** What is asked of `POST /egress/who`; the time is now unless told, in ms since 1970. */
export interface WhoRequest {
  readonly address: string
  readonly port: number
  readonly atMs?: number
}

export interface WhoAnswer {
  /** Pods that had the port; several where they share it. */
  readonly pods: readonly PastUse[]
  /** Live connections under the port, when it is asked about now: the pod's address, and where to. */
  readonly connections: readonly { readonly source: string; readonly destination: string; readonly protocol: number }[]
}

/** Whose ports were whose on this node: told in the log as they are given, and answered from memory. */
export class EgressPorts {
  readonly #journal = new PortJournal()
  readonly #plan: NodePlan
  readonly #network: Network
  readonly #log: Log

  constructor(plan: NodePlan, network: Network, log: Log) {
    this.#plan = plan
    this.#network = network
    this.#log = log
  }

  /** A round is in the kernel. */
  afterRound(): void {
    for (const { pod, address, first, last } of this.#journal.note(this.#plan.portUses, Date.now()))
      this.#log.info({ pod, address, first, last }, 'the pod leaves under these ports')
  }

  readonly answer: SocketRoute = (body): WhoAnswer => {
    const { address: text = '', port = 0, atMs } = body as WhoRequest
    const address = findAddress(text)
    if (address === undefined) throw new BadQuestion(`"${text}" is not an IP address`)
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw new BadQuestion(`${port} is not a port`)
    const pods = this.#journal.find(address, port, atMs ?? Date.now())
    if (atMs !== undefined) return { pods, connections: [] }
    const live = this.#network
      .connections({ family: address.includes(':') ? 6 : 4 })
      .filter(({ reply }) => reply.destination === address && reply.destinationPort === port)
    const connections = live.map(({ original, reply, protocol }) => ({
      source: original.source,
      destination: `${reply.source} ${reply.sourcePort}`,
      protocol,
    }))
    return { pods, connections }
  }
}
