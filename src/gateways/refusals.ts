import { type Finding, keyOf } from '../cluster/index.ts'
import type { Condition, KubeObject } from '../objects/index.ts'
import type { WantedStatus } from './gateway-status.ts'
import { gatewayControllerName } from './gateways.ts'

/** On a Node: which objects its HAProxy refuses and is served without, as JSON. Each node has a word of its own, so that they are not in each other's way. */
export const refusedAnnotation = 'plumb.network/gateway-refused'

const longestWords = 300

/** The value of the annotation; null where nothing is refused. */
export function renderRefusals(findings: readonly Finding[]): string | null {
  const entries = findings.map(({ object, says }) => [object, says.slice(0, longestWords)] as const)
  return entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries))
}

/** What nodes refuse: by object as findings name it, what is said of it. What cannot be read says nothing. */
export function readRefusals(nodes: Iterable<KubeObject>): ReadonlyMap<string, string> {
  const refused = new Map<string, { nodes: string[]; says: string }>()
  for (const { metadata } of nodes) {
    const text = metadata.annotations?.[refusedAnnotation]
    for (const [object, says] of Object.entries(text === undefined ? {} : parse(text))) {
      const known = refused.get(object) ?? { nodes: [], says: String(says).slice(0, longestWords) }
      known.nodes.push(metadata.name)
      refused.set(object, known)
    }
  }
  return new Map([...refused].map(([object, { nodes: named, says }]) => [object, `${says} (${listOf(named.sort())})`]))
}

/** A status that tells of a refusal, too: the routes are not accepted, the Gateway is not programmed. */
export function withRefusals(wanted: WantedStatus, refused: ReadonlyMap<string, string>): WantedStatus {
  const { kind, object, status } = wanted
  const says = refused.get(`${kind.toLowerCase()}/${keyOf(object)}`)
  if (says === undefined) return wanted
  const { parents, conditions, listeners } = status as Told
  if (kind === 'Gateway')
    return {
      ...wanted,
      status: {
        ...status,
        ...(conditions && { conditions: refuse(conditions, 'Programmed', 'Invalid', says) }),
        ...(listeners && {
          listeners: listeners.map((one) => ({
            ...one,
            conditions: refuse(one.conditions, 'Programmed', 'Invalid', says),
          })),
        }),
      },
    }
  if (parents === undefined) return wanted
  const told = parents.map((one) =>
    one.controllerName === gatewayControllerName
      ? { ...one, conditions: refuse(one.conditions, 'Accepted', 'GatewayRefused', says) }
      : one,
  )
  return { ...wanted, status: { ...status, parents: told } }
}

interface Told {
  readonly conditions?: readonly Condition[]
  readonly listeners?: readonly { readonly conditions: readonly Condition[] }[]
  readonly parents?: readonly { readonly controllerName: string; readonly conditions: readonly Condition[] }[]
}

/** Of what is refused already the first reason stays. */
function refuse(conditions: readonly Condition[], type: string, reason: string, message: string): Condition[] {
  return conditions.map((one) =>
    one.type === type && one.status === 'True' ? { ...one, status: 'False', reason, message } : one,
  )
}

function listOf(nodes: readonly string[]): string {
  const more = nodes.length > 3 ? ` and ${nodes.length - 3} more` : ''
  return `at ${nodes.slice(0, 3).join(', ')}${more}`
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {}
  } catch {
    return {}
  }
}
