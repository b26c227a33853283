import type { BirdSession } from '../bird/index.ts'

/** Metrics of sessions in the exposition format, by MetalLB's names. */
export function renderSessionMetrics(sessions: readonly BirdSession[]): string {
  const each = (value: (session: BirdSession) => number, name: string, help: string): string =>
    [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...sessions.map((session) => `${name}{peer="${session.name}"} ${value(session)}`),
      '',
    ].join('\n')
  return (
    each(
      ({ state }) => (state === 'Established' ? 1 : 0),
      'metallb_bgp_session_up',
      'BGP session state (1 is up, 0 is down)',
    ) +
    each(
      ({ exported }) => exported,
      'metallb_bgp_announced_prefixes_total',
      'Number of prefixes currently being advertised on the BGP session',
    )
  )
}
