/** One call as caller.ts prints it: when it began, how long it took, what came back. */
export interface Call {
  readonly at: number
  readonly ms: number
  readonly status: number
  readonly who: string
}

/** One line: percentiles of the calls that were answered, and how many were not. */
export function summarize(policy: string, calls: readonly Call[]): string {
  const times = calls
    .filter(({ status }) => status === 200)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b)
  const at = (percent: number) =>
    times[Math.min(times.length - 1, Math.floor((percent / 100) * times.length))]?.toFixed(0)
  const failed = calls.length - times.length
  const unanswered = calls.filter(({ status }) => status === 0).length
  return `${policy.padEnd(14)} ${calls.length} calls, failed ${failed} (${unanswered} without an answer), p50 ${at(50)} ms, p99 ${at(99)} ms, p99.9 ${at(99.9)} ms`
}

const [width, height, left, top] = [900, 150, 110, 24]
const phases: [fromMs: number, toMs: number, name: string][] = [
  [3000, 7000, 'one slow, +500 ms'],
  [8000, 12_000, 'one fails at once'],
  [13_000, 15_000, 'one killed'],
  [16_000, 20_000, 'three drained'],
]

/** A strip for each policy: a dot for each call, by time and (logarithmic) latency; failures are red crosses. */
export function renderPicture(results: readonly { policy: string; calls: readonly Call[] }[], seconds: number): string {
  const x = (atMs: number) => (left + (atMs / 1000 / seconds) * (width - left - 10)).toFixed(1)
  const y = (ms: number) =>
    height - 10 - (Math.log10(Math.max(10, Math.min(5000, ms))) - 1) * ((height - top - 10) / 2.7)
  const strips = results.map(({ policy, calls }, i) => {
    const bands = phases.map(
      ([from, to, name]) =>
        `<rect x="${x(from)}" y="${top}" width="${Number(x(to)) - Number(x(from))}" height="${height - top}" fill="#eef2f7"/>` +
        `<text x="${x(from)}" y="${top - 6}" font-size="11" fill="#555">${name}</text>`,
    )
    const scale = [10, 100, 1000].map(
      (ms) => `<text x="${left - 6}" y="${y(ms) + 4}" font-size="10" text-anchor="end" fill="#777">${ms} ms</text>`,
    )
    // One path for all dots: a line without length and round ends.
    const marks = (wanted: boolean, mark: string) =>
      calls
        .filter(({ status }) => (status === 200) === wanted)
        .map(({ at, ms }) => `M${Math.round(Number(x(at)))} ${Math.round(y(ms))}${mark}`)
        .join('')
    const dots = [
      `<path d="${marks(true, 'h0')}" stroke="#2b6cb0" stroke-width="2.4" stroke-linecap="round"/>`,
      `<path d="${marks(false, 'm-4 0h8m-4-4v8')}" stroke="#c53030" stroke-width="1.5"/>`,
    ]
    const name = `<text x="4" y="${height / 2}" font-size="13" font-weight="bold">${policy}</text>`
    return `<g transform="translate(0 ${i * (height + 16)})">${bands.join('')}${scale.join('')}${name}${dots.join('')}</g>`
  })
  const whole = results.length * (height + 16)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${whole}" font-family="sans-serif"><title>Latency of each call by policy</title><rect width="100%" height="100%" fill="white"/>${strips.join('\n')}</svg>\n`
}
