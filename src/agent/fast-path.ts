import { extendFastPath, fastPathTable, replaceFastPath } from '../fastpath/index.ts'
import type { Host, Link, Network } from '../host/index.ts'
import type { Log, NodeModule } from './contract.ts'
import { whyNoFastPath } from './fast-path-trial.ts'

const tableName = `${fastPathTable.family} ${fastPathTable.table}`
const retryMs = 1000
/** Links of former pods may go on being listed by name (Linux 6.16); when so many have gone, the table is made again. */
const mostGone = 256

/**
 * Keeps the node's links in the flowtable by which long connections go past the hooks, where the kernel can do that; where it is not
 * wanted, takes away what a former agent left.
 */
export class FastPath implements NodeModule {
  readonly name = 'fast-path'
  readonly #network: Network
  readonly #host: Host
  readonly #wanted: boolean
  readonly #log: Log
  /** Undefined until it was tried. */
  #usable: boolean | undefined
  /** Links in the kernel's table, by index: a name may come again. Undefined while what is there is not known. */
  #links: Map<number, string> | undefined
  #gone = 0
  #watch: { close(): void } | undefined
  #retry: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #again = false

  constructor(host: Host, network: Network, wanted: boolean, log: Log) {
    this.#host = host
    this.#network = network
    this.#wanted = wanted
    this.#log = log
  }

  /** The tables that should be there. */
  get tables(): readonly string[] {
    return this.#usable === true ? [tableName] : []
  }

  async update(): Promise<void> {
    if (this.#usable === undefined) await this.#begin()
    if (this.#usable && this.#links === undefined) await this.#follow()
  }

  /** What is in the kernel may be something else: the next update makes the table again. */
  doubt(): void {
    this.#links = undefined
  }

  async close(): Promise<void> {
    this.#watch?.close()
    this.#watch = undefined
    clearTimeout(this.#retry)
    this.#usable = false
    await this.#running
  }

  async #begin(): Promise<void> {
    const why = this.#wanted ? await whyNoFastPath(this.#host) : undefined
    this.#usable = this.#wanted && why === undefined
    if (why !== undefined) this.#log.warn({ why }, 'there is no fast path: connections go through all hooks')
    if (!this.#usable) {
      await this.#takeAway()
      return
    }
    this.#watch = this.#network.watchNetwork((what) => {
      if (what === 'link') this.#linksChanged()
    })
  }

  async #takeAway(): Promise<void> {
    const there = await this.#network.tables()
    if (!there.some(({ family, name }) => `${family} ${name}` === tableName)) return
    await this.#network.commit([{ kind: 'delete-table', ...fastPathTable }])
  }

  #linksChanged(): void {
    this.#follow().catch((error: unknown) => {
      if (this.#usable !== true) return
      this.#log.warn({ error: String(error) }, 'the links of the fast path could not be changed; trying again')
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined
        this.#linksChanged()
      }, retryMs).unref()
    })
  }

  /** One at a time; what changes meanwhile is looked at again. */
  async #follow(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true
      return this.#running
    }
    this.#running = this.#synchronize()
    try {
      await this.#running
    } finally {
      this.#running = undefined
    }
  }

  async #synchronize(): Promise<void> {
    do {
      this.#again = false
      const links = this.#network.links()
      const wanted = new Map(links.filter(forwards).map(({ index, name }) => [index, name]))
      const there = new Set(links.map(({ index }) => index))
      const known = this.#links
      const unwanted = known === undefined ? [] : [...known].filter(([index, name]) => wanted.get(index) !== name)
      this.#gone += unwanted.length
      const stays = unwanted.some(([index]) => there.has(index))
      this.#links = undefined
      if (known === undefined || stays || this.#gone > mostGone) {
        await this.#network.commit(replaceFastPath([...wanted.values()]))
        // Conntrack's settings are there once a rule needs it. Connections from before have no count and keep the ordinary way.
        this.#network.setSysctl('net.netfilter.nf_conntrack_acct', 1)
        this.#gone = 0
      } else {
        const added = [...wanted].filter(([index]) => !known.has(index)).map(([, name]) => name)
        if (added.length > 0) await this.#network.commit(extendFastPath(added))
      }
      this.#links = wanted
    } while (this.#again && this.#usable === true)
  }
}

/** Links between which packets are forwarded; ports of a bridge are not asked, the bridge is. */
function forwards({ name, up, master }: Link): boolean {
  return up && name !== 'lo' && master === undefined
}
