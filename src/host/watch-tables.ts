import { type Message, NETLINK_NETFILTER } from '../netlink/index.ts'
import { decodeTable, type TableFamily } from '../nft/index.ts'
import type { Namespace } from './contract.ts'
import { watchNetlink } from './watch.ts'

/** NFNLGRP_NFTABLES, the seventh multicast group of nfnetlink, as a bit. */
const nftablesGroup = 1 << 6

/** Who changed a table: the netlink port of the socket that sent the transaction. */
export type TableListener = (family: TableFamily, table: string, portId: number) => void

/**
 * Tells each change of the namespace's tables by its table. The kernel makes a message for every element of a transaction
 * that anybody listens to, so own large ones are sent while `deaf`.
 */
export class TablesWatch {
  readonly #namespace: Pick<Namespace, 'run'>
  readonly #listener: TableListener
  readonly #onLost: () => void
  readonly #generation: () => number | undefined
  #watch: { close(): void } | undefined
  /** The generation at the moment from which nothing was heard. */
  #before: number | undefined

  constructor(
    namespace: Pick<Namespace, 'run'>,
    told: { readonly listener: TableListener; readonly onLost: () => void },
    generation: () => number | undefined,
  ) {
    this.#namespace = namespace
    this.#listener = told.listener
    this.#onLost = told.onLost
    this.#generation = generation
    this.#open()
  }

  /** Hears again. When the own transaction was not the only one meanwhile, changes of others were lost. */
  listen(): void {
    this.#open()
    // A transaction moves the generation by one, past 0 when it overflows.
    const now = this.#generation() ?? 0
    const moved = (now - (this.#before ?? now)) >>> 0
    // Not before whoever waits for the own transaction knows how it ended.
    if (moved > 1) setImmediate(this.#onLost)
  }

  #open(): void {
    this.#watch ??= watchNetlink(
      this.#namespace,
      { step: 'watch nftables', protocol: NETLINK_NETFILTER, groups: nftablesGroup },
      (message: Message) => {
        const table = decodeTable(message)
        if (table !== undefined) this.#listener(table.family, table.name, message.portId)
      },
      this.#onLost,
    )
  }

  /** Hears nothing until `listen`. */
  deaf(): void {
    this.#before = this.#generation()
    this.close()
  }

  close(): void {
    this.#watch?.close()
    this.#watch = undefined
  }
}
