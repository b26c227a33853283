import type { Because } from '../cluster/index.ts'
import { surveyEgress } from '../egress/index.ts'
import { distinct } from './behind.ts'
import { egressWorld } from './egress-world.ts'
import type { Setting } from './setting.ts'
import type { Way } from './way.ts'

/** Under which address workloads leave the cluster that an Egress selects, and where to; all others leave as their node. */
export function exitWays({ snapshot, workloadOf }: Setting): readonly Way[] {
  if (snapshot.egresses.size === 0) return []
  const world = egressWorld(snapshot)
  return [...snapshot.egresses.keys()].flatMap((name) => {
    const survey = surveyEgress(snapshot, name, world)
    if (survey === undefined) return []
    const { model, pods } = survey
    const { destinations, excluded } = model.scope
    const except = excluded.length === 0 ? '' : ` except ${excluded.join(', ')}`
    const where = `${destinations?.join(', ') ?? 'outside'}${except}`
    const held = pods.filter(({ heldBy }) => heldBy === undefined)
    const byWorkload = Map.groupBy(held, ({ pod }) => workloadOf.get(pod) ?? `pod/${pod}`)
    return [...byWorkload].map(([workload, own]): Way => {
      const exits = own.flatMap((one) => one.exits.map(({ exit }) => exit))
      const leadsTo = distinct(
        exits.map((exit) =>
          exit.kind === 'through' ? exit.address : exit.kind === 'blocked' ? 'nowhere: dropped' : 'as its node',
        ),
      )
      const blocked = exits.find(({ kind }) => kind === 'blocked')
      const said = blocked ?? exits.find(({ kind }) => kind === 'untouched')
      const because: Because = blocked?.because ?? {
        object: model.object,
        field: 'spec.egressIPs',
        value: leadsTo.join(', '),
      }
      const says = said !== undefined && said.kind !== 'through' ? said.says : `leaves under ${leadsTo.join(' or ')}`
      return {
        kind: 'exit',
        id: `${workload} to ${where}`,
        verdict: blocked === undefined ? 'allow' : 'deny',
        leadsTo,
        says,
        because,
      }
    })
  })
}
