import type { Address } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { Gate } from './layout.ts'
import type { PodView } from './profile.ts'

/** A pod of this node as desired in the kernel. */
export interface LocalPod {
  readonly view: PodView
  /** Chains by where they judge; absent where the pod is open. */
  readonly chains: Readonly<Partial<Record<Gate, string>>>
}

/** The pods of this node, and which of them has which address: of two that claim the same, the last one counts. */
export class LocalPods {
  readonly #pods = new Map<ObjectKey, LocalPod>()
  readonly #ofNamespace = new Map<string, Set<ObjectKey>>()
  readonly #claims = new Map<Address, readonly ObjectKey[]>()

  get size(): number {
    return this.#pods.size
  }

  get addresses(): Iterable<Address> {
    return this.#claims.keys()
  }

  get namespaces(): Iterable<string> {
    return this.#ofNamespace.keys()
  }

  has(key: ObjectKey): boolean {
    return this.#pods.has(key)
  }

  get(key: ObjectKey): LocalPod | undefined {
    return this.#pods.get(key)
  }

  at(address: Address): LocalPod | undefined {
    const key = this.#claims.get(address)?.at(-1)
    return key === undefined ? undefined : this.#pods.get(key)
  }

  knows(address: Address): boolean {
    return this.#claims.has(address)
  }

  inNamespace(namespace: string): ReadonlySet<ObjectKey> {
    return this.#ofNamespace.get(namespace) ?? new Set()
  }

  /** Puts a pod in the place of what is known under `key`, or takes it out; answers the addresses of both. */
  put(key: ObjectKey, next: LocalPod | undefined): ReadonlySet<Address> {
    const old = this.#pods.get(key)
    if (next === undefined) this.#pods.delete(key)
    else this.#pods.set(key, next)
    const namespace = (next ?? old)?.view.profile.namespace
    if (namespace !== undefined) this.#note(namespace, key, next !== undefined)
    const before = old?.view.addresses ?? []
    const after = next?.view.addresses ?? []
    for (const address of before) if (!after.includes(address)) this.#disclaim(address, key)
    for (const address of after) if (!before.includes(address)) this.#claim(address, key)
    return new Set([...before, ...after])
  }

  /** The addresses of pods that one of these chains judges. */
  judgedBy(chains: ReadonlySet<string>): readonly Address[] {
    return [...this.#pods.values()].flatMap((pod) =>
      Object.values(pod.chains).some((name) => chains.has(name)) ? pod.view.addresses : [],
    )
  }

  #note(namespace: string, key: ObjectKey, there: boolean): void {
    const own = this.#ofNamespace.get(namespace) ?? new Set()
    if (there) own.add(key)
    else own.delete(key)
    if (own.size > 0) this.#ofNamespace.set(namespace, own)
    else this.#ofNamespace.delete(namespace)
  }

  #claim(address: Address, key: ObjectKey): void {
    this.#claims.set(address, [...(this.#claims.get(address) ?? []), key])
  }

  #disclaim(address: Address, key: ObjectKey): void {
    const rest = (this.#claims.get(address) ?? []).filter((one) => one !== key)
    if (rest.length === 0) this.#claims.delete(address)
    else this.#claims.set(address, rest)
  }
}
