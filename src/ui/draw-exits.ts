import { type EgressView, egressView } from '../explain/index.ts'
import { workloadIn } from './box-id.ts'
import type { Drawing } from './picture.ts'
import type { State } from './source.ts'

/** Egresses with the workloads whose pods leave by them. */
export function drawExits(drawing: Drawing, state: State): void {
  for (const name of state.snapshot.egresses.keys()) {
    const view = egressView(state.snapshot, name)
    if (typeof view !== 'string') draw(drawing, state, name, view)
  }
}

function draw(drawing: Drawing, state: State, name: string, view: EgressView): void {
  const { object, addresses, destinations, pods, well, says } = view
  drawing.box({
    id: object,
    rung: 'exit',
    kind: 'Egress',
    namespace: '',
    name,
    lines: [
      ...addresses.map(
        ({ address, owner }) => `${address}, ${owner === undefined ? 'held by nobody' : `held by ${owner}`}`,
      ),
      `to ${destinations}`,
    ],
    look: well ? 'serves' : pods.some((pod) => pod.well) ? 'partly' : 'refuses',
    says: well ? '' : says,
  })
  drawing.note(view.findings)
  for (const { pod, well: leaves, leaves: words } of pods)
    drawing.edge({
      from: workloadIn(state, pod),
      to: object,
      look: leaves ? 'serves' : 'refuses',
      says: leaves ? '' : `${pod}: ${words.join('; ')}`,
    })
}
