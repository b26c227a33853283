import type { BackendView, EntryView, ListenerView, RuleView } from './entry-view.ts'

const signs = { serves: '✓', partly: '!', refuses: '✗', ignored: '→' } as const

/** An Ingress or Gateway as text, from outside to the pods, as of `now` (milliseconds); long lists are cut at `limit`. */
export function renderEntryView(view: EntryView, now: number, limit = 8): string {
  const { health, className } = view
  const lines = [
    `${signs[health.kind]} ${view.object}${className === undefined ? '' : ` (class ${className})`}: ${health.says}`,
  ]
  lines.push(
    '',
    'Addresses',
    ...some(view.addresses.map(({ address, holder }) => `  ${address}${holder === undefined ? '' : `  ${holder}`}`)),
  )
  if (view.listeners.length > 0)
    lines.push(
      '',
      view.object.startsWith('ingress/') ? 'TLS' : 'Listeners',
      ...cut(
        view.listeners.flatMap((one) => listenerLines(one, now)),
        limit * 2,
      ),
    )
  lines.push(
    '',
    'Routes',
    ...some(
      view.routes.flatMap(({ object, problem, rules }) => [
        ...(object === view.object ? [] : [`  ${object}`]),
        ...(problem === undefined ? [] : [`    ✗ ${problem}`]),
        ...cut(
          rules.flatMap((rule) => ruleLines(rule, limit)),
          limit * 4,
        ),
      ]),
    ),
  )
  if (view.conditions.length > 0)
    lines.push(
      '',
      'Conditions',
      ...view.conditions.map(
        ({ type, status, reason = '', message = '' }) =>
          `  ${type}=${status}  ${reason}${message === '' ? '' : `: ${message}`}`,
      ),
    )
  for (const { object, field, says, try: remedy } of view.findings)
    lines.push('', `! ${object} ${field}: ${says}`, `  try: ${remedy}`)
  return lines.join('\n')
}

function listenerLines({ name, hosts, certificates, problem }: ListenerView, now: number): string[] {
  return [
    `  ${name} for ${hosts.join(', ')}`,
    ...(problem === undefined ? [] : [`    ✗ ${problem}`]),
    ...certificates.map(({ secret, names, expires }) => {
      const isOver = Date.parse(expires) <= now
      return `    ${isOver ? '✗' : '✓'} ${secret} for ${names.join(', ') || 'no name'}, ${isOver ? 'expired' : 'good until'} ${expires.slice(0, 10)}`
    }),
  ]
}

function ruleLines({ hosts, matches, backends, because }: RuleView, limit: number): string[] {
  const own = backends.length === 0 ? [`      the gateway answers itself (${because.field})`] : []
  return [
    `    ${hosts.join(', ')}  ${matches}`,
    ...own,
    ...backends.flatMap((one) => backendLines(one, backends.length > 1, limit)),
  ]
}

function backendLines(
  { backend, weight, endpoints, problem }: BackendView,
  isShared: boolean,
  limit: number,
): string[] {
  const part = isShared ? `, weight ${weight}` : ''
  if (problem !== undefined) return [`      ✗ ${backend}${part}: ${problem}`]
  return [
    `      ✓ ${backend}${part}`,
    ...cut(
      endpoints.map((one) => `          ${one}`),
      limit,
    ),
  ]
}

function some(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? ['  none'] : lines
}

function cut(lines: readonly string[], limit: number): string[] {
  if (lines.length <= limit) return [...lines]
  return [...lines.slice(0, limit), `    … and ${lines.length - limit} more lines (-o json has all)`]
}
