import type { Address } from '../addr/index.ts'
import type { Finding, Labels, ObjectKey } from '../cluster/index.ts'
import type { Egress } from '../objects/index.ts'
import { compileEgress } from './compile.ts'
import type { EgressModel } from './model.ts'
import { byAge, type Candidate, selects } from './select.ts'

/** All Egresses, the oldest first, with what stands between them settled: an address has one plan of ports. */
export class EgressIndex {
  readonly #compiled = new Map<ObjectKey, EgressModel>()
  #models: readonly EgressModel[] = []
  #byKey = new Map<ObjectKey, EgressModel>()
  #byAddress: ReadonlyMap<Address, EgressModel> = new Map()
  /** Models by a label that they ask for, so that a pod is held against few of them. */
  #byLabel = new Map<string, EgressModel[]>()
  /** What was made of each compiled model. */
  readonly #sources = new WeakMap<EgressModel, EgressModel>()
  #rank = new Map<EgressModel, number>()
  #findings: readonly Finding[] = []

  get models(): readonly EgressModel[] {
    return this.#models
  }

  /** The oldest Egress of each address. */
  get byAddress(): ReadonlyMap<Address, EgressModel> {
    return this.#byAddress
  }

  get findings(): readonly Finding[] {
    return this.#findings
  }

  get(key: ObjectKey): EgressModel | undefined {
    return this.#byKey.get(key)
  }

  put(key: ObjectKey, egress: Egress | undefined): void {
    if (egress === undefined) this.#compiled.delete(key)
    else this.#compiled.set(key, compileEgress(egress))
  }

  /** Takes in what was put. `inCluster` says what of the cluster has an address. */
  settle(inCluster: (address: Address) => string | undefined): void {
    const byAddress = new Map<Address, EgressModel>()
    const findings: Finding[] = []
    this.#models = [...this.#compiled.values()].sort(byAge).map((model) => {
      const addresses = model.addresses.filter(({ address, because }) => {
        const wrong = inCluster(address) ?? unlike(model, byAddress.get(address))
        if (wrong === undefined) return true
        findings.push({
          code: 'EgressIPTaken',
          object: model.object,
          field: because.field,
          says: `${address} ${wrong}; no pod leaves under it`,
          try: 'give the Egress an address that nothing in the cluster has',
        })
        return false
      })
      // The same object while it means the same, so that what rests on it need not be looked at again.
      const former = this.#byKey.get(model.key)
      // One that was taken may be back, and another taken instead.
      const same =
        former !== undefined &&
        this.#sources.get(model) === former &&
        former.addresses.length === addresses.length &&
        addresses.every((one, i) => one === former.addresses[i])
      const settled = same ? former : { ...model, addresses }
      this.#sources.set(model, settled)
      for (const { address } of addresses) if (!byAddress.has(address)) byAddress.set(address, settled)
      findings.push(...model.findings)
      return settled
    })
    this.#sortByLabel()
    this.#byKey = new Map(this.#models.map((model) => [model.key, model]))
    this.#byAddress = byAddress
    this.#findings = findings
  }

  /** Those that select a pod; the first one holds. */
  selecting(pod: Candidate): EgressModel[] {
    const asked = [anyone, ...labelsOf('pod', pod.labels), ...labelsOf('namespace', pod.namespaceLabels)]
    const found = asked.flatMap((label) => this.#byLabel.get(label) ?? []).filter((model) => selects(model, pod))
    return found.length < 2 ? found : found.sort((a, b) => (this.#rank.get(a) ?? 0) - (this.#rank.get(b) ?? 0))
  }

  #sortByLabel(): void {
    this.#byLabel = new Map()
    this.#rank = new Map(this.#models.map((model, rank) => [model, rank]))
    for (const model of this.#models) {
      const { pods, namespaces } = model.selects
      const [label = anyone] = [
        ...labelsOf('pod', pods?.matchLabels ?? {}),
        ...labelsOf('namespace', namespaces?.matchLabels ?? {}),
      ]
      const others = this.#byLabel.get(label)
      if (others === undefined) this.#byLabel.set(label, [model])
      else others.push(model)
    }
  }
}

const anyone = ''

function labelsOf(of: 'pod' | 'namespace', labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${of} ${key}=${value}`)
}

/** Why an address that an older Egress has cannot be the younger one's too. */
function unlike(model: EgressModel, older: EgressModel | undefined): string | undefined {
  if (older === undefined) return undefined
  const same = older.ports.perNode === model.ports.perNode && older.ports.perPod === model.ports.perPod
  return same ? undefined : `is an address of ${older.object}, which divides its ports in another way`
}
