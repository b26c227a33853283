import { writeFileSync } from 'node:fs'
import { type Snapshot, snapshotOf } from '../cluster/index.ts'
import { saveCapsule } from '../doctor/index.ts'
import {
  type Answer,
  type ClusterFacts,
  confirm,
  type Evidence,
  type Observation,
  observationsOf,
  withoutAgent,
  withoutSecrets,
} from '../explain/index.ts'
import type { GatewayModel } from '../gateways/index.ts'
import { loadCapsule } from './doctor-capsule.ts'
import { type Cluster, factsOf } from './read-cluster.ts'

/** Writes what an answer rests on into one file, for its owner alone; answers how large it is in bytes. */
export function saveWhyCapsule(
  path: string,
  cluster: Cluster,
  evidence: ReadonlyMap<Observation, Evidence>,
  gateways: GatewayModel | undefined,
): number {
  const capsule = saveCapsule(cluster.snapshot, factsOf(cluster), [], new Date().toISOString())
  const kernel = [...evidence].map(([question, found]) => [JSON.stringify(question), found] as const)
  const more = gateways === undefined ? {} : { gateways: withoutSecrets(gateways) }
  const text = JSON.stringify({ ...capsule, kernel, ...more })
  writeFileSync(path, text, { mode: 0o600 })
  return text.length
}

/** What a capsule answers from; `confirmed` holds an answer against what its kernels said, as far as they were asked the same. */
export function openWhyCapsule(path: string): {
  readonly snapshot: Snapshot
  readonly facts: ClusterFacts
  readonly gateways: GatewayModel | undefined
  readonly confirmed: (answer: Answer) => Answer
} {
  const { objects, facts, subjects, gateways, kernel = [] } = loadCapsule(path)
  const said = new Map([...subjects.flatMap((one) => one.kernel), ...kernel])
  const confirmed = (answer: Answer): Answer => {
    const fitting = withoutAgent(answer, facts)
    const known = observationsOf(fitting).flatMap((one) => {
      const found = said.get(JSON.stringify(one))
      return found === undefined ? [] : [[one, found] as const]
    })
    return known.length === 0 ? fitting : confirm(fitting, new Map(known))
  }
  return { snapshot: snapshotOf(objects), facts, gateways, confirmed }
}
