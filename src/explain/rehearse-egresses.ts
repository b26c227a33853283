import type { LiveSnapshot } from '../cluster/index.ts'
import { indexAnnotation } from '../egress/index.ts'

/** Gives Egresses what controllers and nodes would: shares of ports, and a node that holds each address; tells what was taken for granted. */
export function rehearseEgresses(snapshot: LiveSnapshot): readonly string[] {
  if (snapshot.egresses.size === 0) return []
  for (const [index, [name, node]] of [...snapshot.nodes].entries()) {
    const { annotations } = node.metadata
    if (annotations?.[indexAnnotation] !== undefined) continue
    const metadata = { ...node.metadata, annotations: { ...annotations, [indexAnnotation]: String(index) } }
    snapshot.put('nodes', name, { ...node, metadata })
  }
  const [holder = ''] = [...snapshot.nodes.keys()].sort()
  const given = [...snapshot.egresses].filter(([, { status }]) => status === undefined)
  for (const [name, egress] of given) {
    const addresses = (egress.spec?.egressIPs ?? []).map((address) => ({ address, node: holder }))
    snapshot.put('egresses', name, { ...egress, status: { addresses } })
  }
  return given.length === 0 ? [] : [`${holder} holds all egress addresses, for the manifests do not say who does`]
}
