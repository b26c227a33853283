import type { RequestRule } from '../request.ts'
import { proofOf } from '../words.ts'

/** From so many attempts on, those of several layers multiply to a load that an application does not survive. */
const many = 3

/** The application fails already, and each request of a client becomes several there. */
export const retryStorm: RequestRule = {
  covers: ['73'],
  judge({ tested, answer, model, backend }) {
    if (answer.kind !== 'forwarded') return []
    const { retry } = model.backends.find(({ id }) => id === answer.backend) ?? {}
    const failing = (backend?.tested ?? []).flatMap((one) =>
      one.result.tries.flatMap(({ outcome }) =>
        outcome.kind === 'answered' && retry?.codes.includes(outcome.http?.status ?? 0) === true ? [one] : [],
      ),
    )
    const [first] = failing
    if (retry === undefined || retry.attempts < many || first === undefined) return []
    const { object, field } = answer.rule.because
    return [
      {
        confidence: 'likely',
        object,
        field: `${field.replace(/\.matches\[\d+\]$/, '')}.retry.attempts`,
        value: String(retry.attempts),
        says: `the application says what is tried again (${retry.codes.join(', ')}), up to ${retry.attempts} times: each request of a client is ${retry.attempts + 1} at an application that fails already`,
        proof: [proofOf(first), ...tested.slice(0, 1).map(proofOf)],
        twin: 'an application that fails without them: this makes it worse, and is not how it began',
        fix: { says: `mend the application first; then one or two attempts, and in one layer alone` },
        rung: 'gateway',
      },
    ]
  },
}
