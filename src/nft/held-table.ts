import type { Chain, Operation, Rule, SetDeclaration, TableFamily } from './language.ts'

interface HeldSet {
  readonly declaration: SetDeclaration
  readonly elements: Map<string, string | undefined>
  /** Keys that changed, with what the kernel has for them; `absent` for nothing. */
  readonly before: Map<string, string | undefined | typeof absent>
}

const absent = Symbol('absent')

/** One table as desired, and what of it the kernel does not have yet. A change costs the elements and chains that it touches. */
export class HeldTable {
  readonly #at: { readonly family: TableFamily; readonly table: string }
  readonly #fixed: { readonly sets: readonly SetDeclaration[]; readonly chains: readonly Chain[] }
  readonly #sets = new Map<string, HeldSet>()
  readonly #chains = new Map<string, Chain>()
  readonly #newSets = new Set<string>()
  readonly #goneSets = new Map<string, HeldSet>()
  readonly #newChains = new Set<string>()
  readonly #changedChains = new Set<string>()
  readonly #goneChains = new Set<string>()

  constructor(family: TableFamily, table: string, sets: readonly SetDeclaration[], chains: readonly Chain[]) {
    this.#at = { family, table }
    this.#fixed = { sets, chains }
    for (const declaration of sets)
      this.#sets.set(declaration.name, { declaration, elements: new Map(), before: new Map() })
    for (const chain of chains) this.#chains.set(chain.name, chain)
  }

  /** `ip plumb-egress` */
  get name(): string {
    return `${this.#at.family} ${this.#at.table}`
  }

  /** How much is held beside what is always there. */
  get size(): { readonly chains: number; readonly elements: number } {
    const elements = [...this.#sets.values()].reduce((sum, set) => sum + set.elements.size, 0)
    return { chains: this.#chains.size - this.#fixed.chains.length, elements }
  }

  /** Makes an element what is wanted; `value` is undefined in sets without values, and `false` takes it away. */
  put(name: string, key: string, value: string | undefined | false): void {
    const set = this.#sets.get(name)
    if (set === undefined) throw new TypeError(`the table has no set ${name}`)
    const has = set.elements.has(key)
    if (value === false ? !has : has && set.elements.get(key) === value) return
    if (!set.before.has(key)) set.before.set(key, has ? set.elements.get(key) : absent)
    if (value === false) set.elements.delete(key)
    else set.elements.set(key, value)
  }

  /** Makes the whole content of a set what is wanted. */
  fill(name: string, elements: ReadonlyMap<string, string | undefined>): void {
    for (const key of [...(this.#sets.get(name)?.elements.keys() ?? [])])
      if (!elements.has(key)) this.put(name, key, false)
    for (const [key, value] of elements) this.put(name, key, value)
  }

  addSet(declaration: SetDeclaration): void {
    const { name } = declaration
    if (this.#sets.has(name)) return
    const gone = this.#goneSets.get(name)
    this.#goneSets.delete(name)
    if (gone === undefined) this.#newSets.add(name)
    this.#sets.set(name, gone ?? { declaration, elements: new Map(), before: new Map() })
    if (gone !== undefined) this.fill(name, new Map())
  }

  removeSet(name: string): void {
    const set = this.#sets.get(name)
    if (set === undefined) return
    this.#sets.delete(name)
    if (!this.#newSets.delete(name)) this.#goneSets.set(name, set)
  }

  /** The chains whose names begin so. */
  chainsNamed(beginning: string): string[] {
    return [...this.#chains.keys()].filter((name) => name.startsWith(beginning))
  }

  /** Makes a chain's rules what is wanted. */
  setChain(name: string, rules: readonly Rule[]): void {
    const old = this.#chains.get(name)
    if (old !== undefined && JSON.stringify(old.rules) === JSON.stringify(rules)) return
    this.#chains.set(name, { name, rules })
    if (old === undefined && !this.#goneChains.delete(name)) this.#newChains.add(name)
    else if (!this.#newChains.has(name)) this.#changedChains.add(name)
  }

  removeChain(name: string): void {
    if (!this.#chains.delete(name)) return
    this.#changedChains.delete(name)
    if (!this.#newChains.delete(name)) this.#goneChains.add(name)
  }

  /** What the kernel lacks, in an order in which everything referred to is there. */
  take(): Operation[] {
    const at = this.#at
    const rules = (name: string): Operation[] =>
      (this.#chains.get(name)?.rules ?? []).map((rule) => ({ kind: 'add-rule', ...at, chain: name, rule }))
    const named = (names: Iterable<string>) => [...names].flatMap((name) => this.#sets.get(name) ?? [])
    const changes = [...this.#sets.values(), ...this.#goneSets.values()].map((set) => this.#diff(set))
    const operations: Operation[] = [
      ...changes.flatMap(({ removed }) => removed),
      ...named(this.#newSets).map(({ declaration }): Operation => ({ kind: 'add-set', ...at, set: declaration })),
      ...[...this.#newChains].map((name): Operation => ({ kind: 'add-chain', ...at, chain: { name } })),
      ...[...this.#changedChains, ...this.#goneChains].map(
        (chain): Operation => ({ kind: 'flush-chain', ...at, chain }),
      ),
      ...[...this.#newChains, ...this.#changedChains].flatMap(rules),
      ...changes.flatMap(({ added }) => added),
      ...[...this.#goneChains].map((chain): Operation => ({ kind: 'delete-chain', ...at, chain })),
      ...[...this.#goneSets.keys()].map((set): Operation => ({ kind: 'delete-set', ...at, set })),
    ]
    this.#settle()
    return operations
  }

  /** Takes the whole table away. */
  remove(): Operation {
    return { kind: 'delete-table', ...this.#at }
  }

  /** Everything, for a table that is not there. */
  full(): Operation[] {
    const at = this.#at
    const chains = [...this.#chains.values()]
    const operations: Operation[] = [
      { kind: 'add-table', ...at },
      ...[...this.#sets.values()].map(({ declaration }): Operation => ({ kind: 'add-set', ...at, set: declaration })),
      ...chains.map(({ rules: _, ...chain }): Operation => ({ kind: 'add-chain', ...at, chain })),
      ...chains.flatMap(({ name, rules }) =>
        rules.map((rule): Operation => ({ kind: 'add-rule', ...at, chain: name, rule })),
      ),
      ...[...this.#sets.values()].flatMap(({ declaration, elements }): Operation[] => {
        const content = [...elements].map(([key, value]) => (value === undefined ? { key } : { key, value }))
        return content.length === 0 ? [] : [{ kind: 'add-elements', ...at, set: declaration, elements: content }]
      }),
    ]
    this.#settle()
    return operations
  }

  #diff({ declaration, elements, before }: HeldSet): { removed: Operation[]; added: Operation[] } {
    const of = (kind: 'add-elements' | 'delete-elements', some: { key: string; value?: string }[]): Operation[] =>
      some.length === 0 ? [] : [{ kind, ...this.#at, set: declaration, elements: some }]
    const element = (key: string, value: string | undefined) => (value === undefined ? { key } : { key, value })
    const changed = [...before].filter(([key, old]) => (elements.has(key) ? elements.get(key) : absent) !== old)
    return {
      removed: of(
        'delete-elements',
        changed.flatMap(([key, old]) => (old === absent ? [] : [element(key, old as string | undefined)])),
      ),
      added: of(
        'add-elements',
        changed.flatMap(([key]) => (elements.has(key) ? [element(key, elements.get(key))] : [])),
      ),
    }
  }

  #settle(): void {
    for (const { before } of this.#sets.values()) before.clear()
    for (const names of [this.#newSets, this.#goneSets, this.#newChains, this.#changedChains, this.#goneChains])
      names.clear()
  }
}
