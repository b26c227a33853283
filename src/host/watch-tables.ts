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
  #watch: { close(): void } | undefined

  constructor(namespace: Pick<Namespace, 'run'>, listener: TableListener, onLost: () => void) {
    this.#namespace = namespace
    this.#listener = listener
    this.#onLost = onLost
    this.listen()
  }

  listen(): void {
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
    this.#watch?.close()
    this.#watch = undefined
  }
}
