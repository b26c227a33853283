import { createInterface } from 'node:readline'
import { connect } from '../client/index.ts'
import { type Snapshot, snapshotOf } from '../cluster/index.ts'
import { askAgent } from '../cni/index.ts'
import { type ApiAccess, openCapsule, saveCapsule } from '../doctor/index.ts'
import type { Evidence } from '../explain/index.ts'
import { agentRules, missingRights, type Rule } from '../install/index.ts'
import { collectHere } from './collect.ts'
import { agentSocket, hereSight } from './here-sight.ts'
import { decodeLine, encodeLine, type Look, type LookAnswers } from './look-dialog.ts'
import type { Sight } from './sight.ts'
import { sendProbe } from './why-probe.ts'

/**
 * `plumb look`: what `why`, `doctor`, `flows` and `addresses` of another machine ask of this node through the agent's pod (`pods/exec`): a line in, a line out, until the
 * input ends. Whoever may start it is root on the node already.
 */
export async function runLook(): Promise<void> {
  const session: Session = {}
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, look } = decodeLine(line) as { id: number; look: Look }
    // What is opened holds for the very next line.
    if (look.kind === 'open') session.opened = look
    void answer(session, look).then(
      (found) => process.stdout.write(encodeLine({ id, answer: found })),
      (error: unknown) => process.stdout.write(encodeLine({ id, error: String((error as Error).message ?? error) })),
    )
  }
}

interface Session {
  opened?: Extract<Look, { kind: 'open' }>
}

async function answer({ opened }: Session, look: Look): Promise<LookAnswers[Look['kind']]> {
  switch (look.kind) {
    case 'open':
      return null
    case 'agent':
      return askAgent(agentSocket, look.path, look.body, look.timeoutMs)
    case 'api':
      return lookAtApi()
    case 'evidence': {
      const sight = standOn(opened, snapshotOf(opened?.capsule.objects ?? []))
      const found = await sight.ask(look.observations)
      return look.observations.map((one): Evidence => found.get(one) ?? { kind: 'unseen', says: 'nobody answered' })
    }
    case 'probe': {
      const snapshot = snapshotOf(opened?.capsule.objects ?? [])
      return sendProbe(look.answer, { snapshot, sight: standOn(opened, snapshot) })
    }
    case 'collect': {
      const { facts } = look
      const [empty] = opened === undefined ? [] : openCapsule({ ...opened.capsule, facts, subjects: [look.subject] })
      if (empty === undefined) return null
      const { snapshot, subject, stand } = empty
      const found = await collectHere({ snapshot, facts, sight: standOn(opened, snapshot) }, subject, stand)
      return saveCapsule(snapshot, facts, [found], '').subjects[0] ?? null
    }
    default:
      return look satisfies never
  }
}

/** This machine as the node that it is in the cluster of these objects. */
function standOn(opened: Session['opened'], snapshot: Snapshot): Sight {
  if (opened === undefined) throw new Error('nothing is opened yet')
  const { node } = opened
  const sight = hereSight(snapshot, { node, groups: [], plumbs: [node], asked: [], reread: async () => snapshot })
  if (typeof sight === 'string') throw new Error(sight)
  return sight
}

const apiTimeoutMs = 4000

/** The API server from here, as the agent's ServiceAccount. */
async function lookAtApi(): Promise<ApiAccess> {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  const server = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  try {
    const client = connect({ inCluster: true, userAgent: 'plumb-look', timeoutMs: apiTimeoutMs })
    try {
      const review = await client.request<{ status: { resourceRules: Rule[] } }>(
        'POST',
        '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
        {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectRulesReview',
          metadata: {},
          spec: { namespace: 'default' },
        },
      )
      return { server, missing: missingRights(review.status.resourceRules, agentRules) }
    } finally {
      client.close()
    }
  } catch (error) {
    return { server, error: (error as Error).message, missing: [] }
  }
}
