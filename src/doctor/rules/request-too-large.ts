import type { Rule } from '../cause.ts'
import { on, type Tested } from '../examination.ts'
import { proofOf } from '../words.ts'

/** RFC 6585 431, RFC 9110 413 and 414; 400 of servers that know no better. */
const refusals = new Set([400, 413, 414, 431])

/** A request with headers of a few kilobytes, as cookies and tokens make them, is refused where a small one is served. */
export const requestTooLarge: Rule = {
  covers: ['26'],
  judge(examination) {
    const all = on(examination, 'other-node', 'client-pod')
    const found = all.filter(
      (large) =>
        paddingOf(large) > 0 &&
        refusals.has(statusOf(large) ?? 0) &&
        all.some(
          (small) =>
            paddingOf(small) === 0 && small.probe.address === large.probe.address && (statusOf(small) ?? 500) < 400,
        ),
    )
    const [first] = found
    if (first === undefined) return []
    return [
      {
        confidence: 'certain',
        object: first.probe.target ?? `address/${first.probe.address}`,
        field: 'spec.containers',
        value: String(statusOf(first)),
        says: `the application says ${statusOf(first)} to a request with ${paddingOf(first)} bytes of headers and serves a small one: users with large cookies or tokens are refused`,
        proof: [
          ...found.slice(0, 2).map(proofOf),
          ...all
            .filter((one) => paddingOf(one) === 0 && one.probe.address === first.probe.address)
            .slice(0, 1)
            .map(proofOf),
        ],
        twin: 'a gateway whose limit is smaller: there the answer has its Proxy-Status, and the pod takes the request',
        fix: {
          says: 'raise the limit of the application (Node: --max-http-header-size; nginx: large_client_header_buffers; Tomcat: maxHttpHeaderSize), or send less',
        },
        rung: first.probe.rung,
      },
    ]
  },
}

function paddingOf({ probe: { speech } }: Tested): number {
  return speech.kind === 'http' ? (speech.padding ?? 0) : 0
}

function statusOf({ result }: Tested): number | undefined {
  const outcome = result.tries[0]?.outcome
  return outcome?.kind === 'answered' ? outcome.http?.status : undefined
}
