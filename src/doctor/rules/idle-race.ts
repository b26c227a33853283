import type { Cause, Rule } from '../cause.ts'
import { on, type Tested } from '../examination.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'

/** The application drops what is asked on a connection that was idle, and never what is asked on a fresh one: an LB that keeps connections makes 502 of some requests. */
export const idleRace: Rule = {
  covers: ['22'],
  judge(examination) {
    const direct = on(examination, 'own-node')
    const found = direct.filter(
      (one) =>
        idleOf(one) !== undefined &&
        findBad(one.result)?.kind === 'closed' &&
        direct.some((fresh) => idleOf(fresh) === undefined && fresh.good && isSame(fresh, one)),
    )
    return found.slice(0, 1).map((first): Omit<Cause, 'rule'> => {
      const seconds = (idleOf(first) ?? 0) / 1000
      return {
        confidence: 'certain',
        object: first.probe.target ?? `address/${first.probe.address}`,
        field: 'spec.containers',
        value: `${seconds} s`,
        says: `the application answers on a fresh connection and drops what is asked on one that was idle for ${seconds} s: an LB that reuses its connections says 502 now and then`,
        proof: [
          ...found.slice(0, 2).map(proofOf),
          ...direct.filter((fresh) => idleOf(fresh) === undefined && isSame(fresh, first)).map(proofOf),
        ],
        twin: 'an application that crashes: that fails on fresh connections too',
        fix: {
          says: 'let the application keep idle connections longer than the LB does (Node: server.keepAliveTimeout; gunicorn: --keep-alive), or the LB close them sooner',
        },
        rung: 'own-node',
      }
    })
  },
}

function idleOf({ probe: { speech } }: Tested): number | undefined {
  return speech.kind === 'http' ? speech.idleMs : undefined
}

function isSame({ probe: a }: Tested, { probe: b }: Tested): boolean {
  return a.address === b.address && a.port === b.port
}
