import { type Address, contains, findPrefix } from '../addr/index.ts'
import type { Because } from '../cluster/index.ts'
import type { RequestAnswer } from '../gateways/index.ts'

/** A filter of the route that answers before any backend is asked. */
export interface Gate {
  readonly status: number
  readonly says: string
  readonly because: Because
}

/** Whether filters of the rule let the request pass, as far as objects tell; assumptions where somebody else decides. */
export function findGate(
  routed: RequestAnswer,
  client: Address | undefined,
  headers: Readonly<Record<string, string>>,
): { readonly gate?: Gate; readonly assumptions: readonly string[] } {
  if (routed.kind !== 'forwarded') return { assumptions: [] }
  const { because } = routed.rule
  const assumptions: string[] = []
  for (const filter of routed.action.filters) {
    if (filter.kind === 'sources' && client !== undefined) {
      const within = (prefixes: readonly string[]): string | undefined =>
        prefixes.find((text) => {
          const prefix = findPrefix(text)
          return prefix !== undefined && contains(prefix, client)
        })
      const denied = within(filter.deny)
      if (denied !== undefined)
        return { gate: { status: 403, says: `${client} is in ${denied}, which is denied`, because }, assumptions }
      if (filter.allow.length > 0 && within(filter.allow) === undefined)
        return {
          gate: { status: 403, says: `${client} is in none of ${filter.allow.join(', ')}`, because },
          assumptions,
        }
    }
    if (filter.kind === 'basic-auth' && headers.authorization === undefined)
      return {
        gate: { status: 401, says: 'it has no Authorization header, and a password is asked for', because },
        assumptions,
      }
    if (filter.kind === 'basic-auth') assumptions.push('the password is right: it was not tried')
    if (filter.kind === 'external-auth') assumptions.push(`${filter.backend} lets the request pass: it was not asked`)
  }
  return { assumptions }
}
