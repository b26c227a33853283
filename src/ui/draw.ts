import { keyOf, splitKey } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { workloadIn } from './box-id.ts'
import { drawAddresses } from './draw-addresses.ts'
import { drawEntries } from './draw-entries.ts'
import { drawExits } from './draw-exits.ts'
import { drawServices } from './draw-services.ts'
import { Drawing, type Picture, type PodLine } from './picture.ts'
import type { State } from './source.ts'

/** The ways in and out, drawn out of the objects by the views that `plumb show` has. */
export function drawPicture(state: State): Picture {
  const drawing = new Drawing()
  drawWorkloads(drawing, state)
  drawServices(drawing, state)
  drawEntries(drawing, state)
  drawAddresses(drawing, state)
  drawExits(drawing, state)
  return drawing.finish()
}

const kinds: Readonly<Record<string, string>> = {
  deployment: 'Deployment',
  statefulset: 'StatefulSet',
  daemonset: 'DaemonSet',
  replicaset: 'ReplicaSet',
  job: 'Job',
  cronjob: 'CronJob',
  replicationcontroller: 'ReplicationController',
  pod: 'Pod',
}

function drawWorkloads(drawing: Drawing, state: State): void {
  const alive = [...state.snapshot.pods.values()].filter(
    ({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed',
  )
  for (const [id, pods] of Map.groupBy(alive, (pod) => workloadIn(state, keyOf(pod)))) {
    const [word = '', ...key] = id.split('/')
    const lines = pods.map(podLine).sort((a, b) => Number(a.ready) - Number(b.ready) || (a.name < b.name ? -1 : 1))
    const ready = lines.filter((one) => one.ready).length
    const [first] = lines
    const isWell = ready === lines.length
    drawing.box({
      id,
      rung: 'workload',
      kind: kinds[word] ?? word,
      ...splitKey(key.join('/')),
      lines: [sayPods(lines, ready)],
      look: isWell ? 'serves' : ready === 0 ? 'refuses' : 'partly',
      says: isWell ? '' : `${ready} of ${lines.length} pods are ready; pod/${first!.name}: ${first!.says}`,
      pods: lines,
    })
  }
}

function sayPods(pods: readonly PodLine[], ready: number): string {
  const nodes = new Set(pods.map(({ node }) => node))
  const [only = ''] = nodes
  const where = nodes.size === 1 ? only : `${nodes.size} nodes`
  if (pods.length === 1) return ready === 1 ? `ready on ${where}` : `not ready on ${where}`
  return `${ready === pods.length ? '' : `${ready} of `}${pods.length} ready on ${where}`
}

function podLine(pod: Pod): PodLine {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'Ready')
  const ready = condition?.status === 'True'
  const said = [condition?.reason, condition?.message].filter(Boolean).join(': ')
  return {
    name: keyOf(pod),
    node: pod.spec.nodeName ?? 'no node',
    ready,
    says: ready ? '' : said || (pod.status?.phase ?? 'Pending'),
  }
}
