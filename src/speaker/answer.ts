import type { Address } from '../addr/index.ts'
import type { Announcement } from '../announce/index.ts'
import type { StandbyState } from '../standby/index.ts'
import type { EngineState } from './engine.ts'

/** What `plumb addresses` asks of a node. */
export interface SpeakerAnswer {
  readonly node: string
  /** Whether it has the key that nodes share; without it, it does nothing. */
  readonly hasKey: boolean
  readonly held: EngineState['held']
  readonly links: EngineState['links']
  /** What it knows of connections, its own and those of addresses that others hold. */
  readonly connections: StandbyState | undefined
  readonly seen: Readonly<Record<string, readonly string[]>>
  readonly owners: Readonly<Record<string, string>>
  readonly addresses: readonly {
    readonly address: Address
    readonly use: string
    readonly because: string
    readonly eligible: readonly string[]
  }[]
}

/** The answer out of what is announced, what the engine holds, and what is known of connections. */
export function speakerAnswer({
  state,
  announcements,
  owners,
  ...rest
}: Pick<SpeakerAnswer, 'node' | 'hasKey' | 'connections'> & {
  /** Undefined while the node takes no part. */
  readonly state: EngineState | undefined
  readonly announcements: ReadonlyMap<Address, Announcement>
  readonly owners: ReadonlyMap<Address, string>
}): SpeakerAnswer {
  const addresses = [...announcements.values()].map(({ claim: { address, use, because, eligible } }) => ({
    ...{ address, use, eligible },
    because: because.object,
  }))
  const { held = [], links = [], seen = new Map<Address, readonly string[]>() } = state ?? {}
  return {
    ...rest,
    ...{ held, links, addresses },
    seen: Object.fromEntries(seen),
    owners: Object.fromEntries(owners),
  }
}
