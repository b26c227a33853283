import type { Client, Informer } from '../client/index.ts'
import type { AddressSelection, IPAddressPool, L2Advertisement, Secret } from '../objects/index.ts'
import { bgpAdvertisements, ipAddressPools, l2Advertisements, secrets, speakerObjects } from './resources.ts'

/** What the speaker follows beside the Snapshot: pools, advertisements, and the key that nodes share. */
export class SpeakerObjects {
  readonly #pools: Informer<IPAddressPool>
  readonly #advertisements: Informer<L2Advertisement>
  readonly #byRoute: Informer<AddressSelection>
  readonly #secret: Informer<Secret>

  constructor(client: Client, onChange: () => void) {
    this.#pools = client.informer<IPAddressPool>(ipAddressPools, { optional: true })
    this.#advertisements = client.informer<L2Advertisement>(l2Advertisements, { optional: true })
    this.#byRoute = client.informer<AddressSelection>(bgpAdvertisements, { optional: true })
    const { namespace, name } = speakerObjects
    this.#secret = client.informer<Secret>(secrets, { namespace, fieldSelector: `metadata.name=${name}` })
    for (const informer of [this.#pools, this.#advertisements, this.#byRoute, this.#secret]) {
      informer.onChange(onChange)
      informer.start().then(onChange, () => undefined)
    }
  }

  /** Undefined until all kinds have been listed. */
  read() {
    if (!this.#pools.synced || !this.#advertisements.synced || !this.#byRoute.synced) return undefined
    return {
      pools: [...this.#pools.values()],
      advertisements: [...this.#advertisements.values()],
      byRoute: [...this.#byRoute.values()],
    }
  }

  /** The key that nodes share, once it is there. */
  key(): Buffer | undefined {
    const text = [...this.#secret.values()][0]?.data?.key
    return text === undefined || text === '' ? undefined : Buffer.from(text, 'base64')
  }
}
