import { contains, type Family, parsePrefix } from '../addr/index.ts'
import type { Changes, Finding, ObjectKey, Snapshot } from '../cluster/index.ts'
import { compileHostPorts } from './compile.ts'
import {
  HeldTable,
  hostPortChains,
  hostPortSets,
  hostPortTableName,
  type Operation,
  placeOf,
  tableFamilyOf,
  targetOf,
} from './lower.ts'
import type { HostPort, PodHostPorts } from './model.ts'

const loopback = parsePrefix('127.0.0.0/8')

/** A number that only one pod has at an address; the older pod, then the first by name. */
interface Claim {
  readonly created: string
  readonly port: HostPort
}

/** The tables of host ports as desired. There is none for a family without host ports. */
export class HostPortTables {
  readonly #node: string
  readonly #families: readonly Family[]
  readonly #tables = new Map<Family, HeldTable>()
  readonly #pods = new Map<ObjectKey, PodHostPorts>()
  /** By family, protocol and number. */
  readonly #claims = new Map<string, Claim[]>()
  readonly #served = new Map<string, readonly HostPort[]>()
  readonly #conflicts = new Map<string, readonly Finding[]>()

  constructor(node: string, families: readonly Family[] = [4, 6]) {
    this.#node = node
    this.#families = families
  }

  /** `ip plumb-hostports` and the like, that are there after the last plan. */
  get names(): readonly string[] {
    return [...this.#tables.values()].map(({ name }) => name)
  }

  get findings(): readonly Finding[] {
    const invalid = [...this.#pods.values()].flatMap(({ findings }) => findings)
    return [...invalid, ...[...this.#conflicts.values()].flat()]
  }

  /** Whether one answers at 127.0.0.1. */
  get onLoopback(): boolean {
    return [...this.#served.values()].some((ports) => ports.some(isOnLoopback))
  }

  /** What changes in the kernel; without `changes`, everything is looked at. */
  update(snapshot: Snapshot, changes: Changes | undefined): readonly Operation[] {
    const own = [...snapshot.podsOn(this.#node)].map(
      ({ metadata }) => `${metadata.namespace}/${metadata.name}` as ObjectKey,
    )
    const keys = changes === undefined ? new Set([...own, ...this.#pods.keys()]) : changes.pods
    const touched = new Set<string>()
    for (const key of keys) this.#takePod(snapshot, key, touched)
    if (touched.size === 0) return []
    for (const group of touched) this.#elect(group)
    return this.#families.flatMap((family) => this.#lower(family))
  }

  /** Everything, for tables that are not there. */
  full(): readonly Operation[] {
    return [...this.#tables.values()].flatMap((table) => table.full())
  }

  #takePod(snapshot: Snapshot, key: ObjectKey, touched: Set<string>): void {
    const pod = snapshot.pods.get(key)
    const before = this.#pods.get(key)
    const compiled = pod?.spec.nodeName === this.#node ? compileHostPorts(pod) : undefined
    const now = compiled !== undefined && compiled.ports.length + compiled.findings.length > 0 ? compiled : undefined
    if (JSON.stringify(before) === JSON.stringify(now)) return
    if (now === undefined) this.#pods.delete(key)
    else this.#pods.set(key, now)
    for (const port of before?.ports ?? []) {
      const group = groupOf(port)
      touched.add(group)
      const left = (this.#claims.get(group) ?? []).filter((claim) => claim.port.pod !== key)
      if (left.length === 0) this.#claims.delete(group)
      else this.#claims.set(group, left)
    }
    for (const port of now?.ports ?? []) {
      if (!this.#families.includes(port.family)) continue
      const group = groupOf(port)
      touched.add(group)
      this.#claims.set(group, [...(this.#claims.get(group) ?? []), { created: now?.created ?? '', port }])
    }
  }

  #elect(group: string): void {
    const served: HostPort[] = []
    const conflicts: Finding[] = []
    const claims = [...(this.#claims.get(group) ?? [])].sort(byAge)
    for (const { port } of claims) {
      const holder = served.find(({ address }) => address === port.address || !address || !port.address)
      if (holder === undefined) served.push(port)
      else if (holder.pod !== port.pod) conflicts.push(taken(port, holder))
    }
    if (served.length === 0) this.#served.delete(group)
    else this.#served.set(group, served)
    if (conflicts.length === 0) this.#conflicts.delete(group)
    else this.#conflicts.set(group, conflicts)
  }

  #lower(family: Family): readonly Operation[] {
    const ports = [...this.#served.values()].flat().filter((port) => port.family === family)
    const there = this.#tables.get(family)
    if (ports.length === 0) {
      this.#tables.delete(family)
      return there === undefined ? [] : [there.remove()]
    }
    const table = there ?? newTable(family)
    this.#tables.set(family, table)
    for (const set of ['any-address', 'one-address'] as const) {
      const own = ports.filter((port) => placeOf(port).set === set)
      table.fill(set, new Map(own.map((port) => [placeOf(port).key, targetOf(port)])))
    }
    table.fill('hairpin', new Map(ports.map(({ target }) => [`${target} . ${target}`, undefined])))
    return there === undefined ? table.full() : table.take()
  }
}

function newTable(family: Family): HeldTable {
  const sets = Object.values(hostPortSets(family))
  return new HeldTable(tableFamilyOf(family), hostPortTableName, sets, hostPortChains(family))
}

function groupOf({ family, protocol, port }: HostPort): string {
  return `${family} ${protocol} ${port}`
}

function byAge(a: Claim, b: Claim): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1
  return a.port.pod < b.port.pod ? -1 : a.port.pod > b.port.pod ? 1 : 0
}

function isOnLoopback({ family, address }: HostPort): boolean {
  return family === 4 && (address === undefined || contains(loopback, address))
}

function taken({ because, protocol, port }: HostPort, holder: HostPort): Finding {
  return {
    code: 'HostPortTaken',
    object: because.object,
    field: because.field,
    says: `${port}/${protocol} is the host port of pod ${holder.pod}, which is older, on the same node`,
    try: 'give one of them another hostPort, or hostIPs that differ',
  }
}
