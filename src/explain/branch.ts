import type { Address } from '../addr/index.ts'
import { type Because, keyOf } from '../cluster/index.ts'
import type { SeenAs } from '../services/index.ts'
import type { Branch, Verdict } from './answer.ts'
import type { Asked } from './asked.ts'
import type { Destination } from './destination.ts'
import { walk } from './walk.ts'

/** The way to one endpoint, which answers for what the client `asked` for. */
export function branchTo(
  { snapshot, question, source }: Pick<Asked, 'snapshot' | 'question' | 'source'>,
  one: { address: Address; port: number; node?: string | undefined; because: Because; source?: SeenAs },
  share: Branch['share'],
  asked?: Destination,
): Branch {
  const { address, port } = one
  const pod = snapshot.findPod(address)
  const path = walk(snapshot, source, { address, port, transport: question.transport }, one.source, asked)
  return {
    endpoint: {
      address,
      port,
      ...(pod === undefined ? {} : { pod: keyOf(pod) }),
      ...(one.node === undefined ? {} : { node: one.node }),
    },
    share,
    verdict: path.verdict,
    ...(path.seenAs === undefined ? {} : { seenAs: path.seenAs }),
    steps: [
      { stage: 'endpoint', says: `${address} port ${port} takes new connections`, because: one.because },
      ...path.steps,
    ],
  }
}

/** One verdict of all branches: where a part cannot be reached, that part of the connections fails. */
export function overall(branches: readonly Branch[], because: Because, name: string): Verdict {
  const denied = branches.filter(({ verdict }) => verdict.kind === 'deny')
  const [first] = denied
  if (first === undefined) {
    const count = branches.length === 1 ? 'at its one endpoint' : `at one of ${branches.length} endpoints`
    return { kind: 'allow', says: `reaches ${name} ${count}`, because }
  }
  const says = `${denied.length} of ${branches.length} endpoints cannot be reached: ${first.verdict.says}`
  return { kind: 'deny', says, because: first.verdict.because }
}
