import type { BFDProfile, BGPAdvertisement, BGPPeer, BgpInput, Community } from '../bgp/index.ts'
import type { Client, Informer, Resource } from '../client/index.ts'
import { keyOf, type Snapshot } from '../cluster/index.ts'
import { poolFinder } from '../ipam/index.ts'
import type { IPAddressPool, KubeObject, Node } from '../objects/index.ts'

const plumb = { group: 'plumb.network', version: 'v1alpha1', namespaced: false }
export const bgpPeers: Resource = { ...plumb, plural: 'bgppeers', kind: 'BGPPeer' }
const bgpAdvertisements: Resource = { ...plumb, plural: 'bgpadvertisements', kind: 'BGPAdvertisement' }
const bfdProfiles: Resource = { ...plumb, plural: 'bfdprofiles', kind: 'BFDProfile' }
const communities: Resource = { ...plumb, plural: 'communities', kind: 'Community' }
const ipAddressPools: Resource = { ...plumb, plural: 'ipaddresspools', kind: 'IPAddressPool' }
const secrets: Resource = { group: '', version: 'v1', plural: 'secrets', namespaced: true, kind: 'Secret' }

interface Secret extends KubeObject {
  readonly type?: string
  readonly data?: Readonly<Record<string, string>>
}

/** The objects that a node's part in BGP is compiled from, but for Services, slices and Nodes. */
export class BgpObjects {
  readonly #peers: Informer<BGPPeer>
  readonly #advertisements: Informer<BGPAdvertisement>
  readonly #profiles: Informer<BFDProfile>
  readonly #communities: Informer<Community>
  readonly #pools: Informer<IPAddressPool>
  readonly #client: Client
  readonly #onChange: () => void
  #secrets: Informer<Secret> | undefined
  #findPool: ReturnType<typeof poolFinder> | undefined
  readonly #stops: (() => void)[] = []
  readonly synced: Promise<unknown>

  constructor(client: Client, onChange: () => void) {
    this.#client = client
    this.#onChange = onChange
    const optional = { optional: true }
    this.#peers = client.informer<BGPPeer>(bgpPeers, optional)
    this.#advertisements = client.informer<BGPAdvertisement>(bgpAdvertisements, optional)
    this.#profiles = client.informer<BFDProfile>(bfdProfiles, optional)
    this.#communities = client.informer<Community>(communities, optional)
    this.#pools = client.informer<IPAddressPool>(ipAddressPools, optional)
    const all = [this.#peers, this.#advertisements, this.#profiles, this.#communities, this.#pools]
    for (const informer of all)
      this.#stops.push(
        informer.onChange((old, now) => {
          if (informer === this.#pools) this.#findPool = undefined
          if (old?.metadata.generation === undefined || old.metadata.generation !== now?.metadata.generation) onChange()
        }),
      )
    this.synced = Promise.all(all.map((informer) => informer.start()))
  }

  get hasPeers(): boolean {
    return this.#peers.size > 0
  }

  /** `held`: the egress addresses that the node has peers told. */
  input(snapshot: Snapshot, node: Node, held: BgpInput['held']): BgpInput {
    const peers = [...this.#peers.values()]
    if (peers.some(({ spec }) => spec.passwordSecret !== undefined)) this.#followSecrets()
    this.#findPool ??= poolFinder(this.#pools.values())
    return {
      node,
      peers,
      advertisements: [...this.#advertisements.values()],
      profiles: [...this.#profiles.values()],
      communities: [...this.#communities.values()],
      services: snapshot.services,
      held,
      slicesOf: (service) => snapshot.slicesOf(keyOf(service)),
      findPool: this.#findPool,
      findPassword: (namespace, name) => this.#findPassword(namespace, name),
    }
  }

  close(): void {
    for (const stop of this.#stops) stop()
    for (const informer of [this.#peers, this.#advertisements, this.#profiles, this.#communities, this.#pools])
      informer.close()
    this.#secrets?.close()
  }

  /** Secrets are followed from the first peer on that needs one: most clusters have none, and many Secrets. */
  #followSecrets(): void {
    if (this.#secrets !== undefined) return
    this.#secrets = this.#client.informer<Secret>(secrets, { fieldSelector: 'type=kubernetes.io/basic-auth' })
    this.#stops.push(this.#secrets.onChange(() => this.#onChange()))
    this.#secrets.start().catch(() => undefined)
  }

  #findPassword(namespace: string, name: string): string | undefined {
    const encoded = this.#secrets?.get(`${namespace}/${name}`)?.data?.password
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
  }
}
