import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { findBad, renderPlace } from '../probe.ts'
import { proofOf } from '../words.ts'

/** The answer ends before as many bytes came as its head promises. */
export const answerCut: Rule = {
  covers: ['30'],
  judge(examination) {
    // Within the pod nothing but the application cuts.
    const found = on(examination, 'loopback', 'pod').flatMap((one) => {
      const bad = findBad(one.result)
      return bad?.kind === 'answered' && bad.http?.cut !== undefined ? [{ one, cut: bad.http.cut }] : []
    })
    const [first] = found
    if (first === undefined) return []
    const { bytes, promised } = first.cut
    return [
      {
        confidence: 'certain',
        object: renderPlace(first.one.probe.from),
        field: 'spec.containers',
        value: `${bytes} of ${promised} bytes`,
        says: `the application promises a body of ${promised} bytes (Content-Length) and sends ${bytes}, even to itself: clients see answers that are cut, or wait for the rest`,
        proof: found.slice(0, 3).map(({ one }) => proofOf(one)),
        twin: 'a path that loses large packets, or an idle timeout on the way: there the pod gets the whole answer of itself',
        fix: {
          says: `see what the application sends for ${examination.subject.path}: a length of another body, or an end by an error`,
        },
        rung: 'pod',
      },
    ]
  },
}
