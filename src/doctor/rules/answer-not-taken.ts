import type { Cause, Rule } from '../cause.ts'
import type { ControlTry } from '../control.ts'
import { type Examination, on } from '../examination.ts'
import type { HttpAnswer } from '../probe.ts'
import { addressText, proofOf } from '../words.ts'

/** HAProxy's room for a head: tune.bufsize of 16 KiB less tune.maxrewrite of 1 KiB. nginx has 4 or 8 KiB, Envoy 60. */
const largeBytes = 15 * 1024

/** The application answers whoever asks it directly, and a proxy does not take the answer: it makes 502 of it. */
export const answerNotTaken: Rule = {
  covers: ['25', '27'],
  judge(examination) {
    // P: the proxy ended it. H: at the headers of the answer.
    const refused = examination.controls.flatMap(({ tries, plan }) =>
      plan.to === 'pods' ? tries.filter(({ state }) => state.startsWith('PH')) : [],
    )
    const causes = new Map<string, Omit<Cause, 'rule'>>()
    for (const tried of refused) {
      const cause = causeOf(examination, tried)
      if (cause !== undefined) causes.set(cause.object, causes.get(cause.object) ?? cause)
    }
    return [...causes.values()]
  },
}

function causeOf(examination: Examination, { server, status, state }: ControlTry): Omit<Cause, 'rule'> | undefined {
  const direct = on(examination, 'pod', 'own-node', 'other-node').find(({ probe }) => addressText(probe) === server)
  if (direct === undefined) return undefined
  const http = direct.result.tries.flatMap(({ outcome }) =>
    outcome.kind === 'answered' && outcome.http !== undefined ? [outcome.http] : [],
  )[0]
  const bytes = http === undefined ? 0 : headBytes(http)
  const object = direct.probe.target ?? `address/${direct.probe.address}`
  const control = `the control HAProxy before ${server}: ${status}, its own (${state}: the answer’s headers)`
  if (bytes >= largeBytes) {
    const [name = '', value = ''] =
      Object.entries(http?.headers ?? {}).sort(([, a], [, b]) => b.length - a.length)[0] ?? []
    return {
      confidence: 'certain',
      object,
      field: 'spec.containers',
      value: `${bytes} bytes`,
      says: `the application answers with ${bytes} bytes of headers (${name} alone has ${value.length}), more than a proxy takes: it makes 502 of the answer`,
      proof: [proofOf(direct), control],
      twin: 'an application that fails: there it says 5xx itself, or closes',
      fix: {
        says: `send less in ${name}; or give every proxy on the way a larger buffer (HAProxy: tune.bufsize; nginx: proxy_buffer_size)`,
      },
      rung: 'pod',
    }
  }
  return {
    confidence: 'certain',
    object,
    field: 'spec.containers',
    value: state,
    says: 'the application answers with headers that are no valid HTTP (RFC 9112): a lenient client takes them, a proxy makes 502 of them',
    proof: [proofOf(direct), control],
    twin: `headers that are too large: these have ${bytes} bytes`,
    fix: {
      says: 'see what the application sends: two lengths, a length and chunks, a name with a space, a bare line feed',
    },
    rung: 'pod',
  }
}

function headBytes({ headers }: HttpAnswer): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
}
