import type { Finding } from '../cluster/index.ts'
import type { Egress } from '../objects/index.ts'

type Spec = Egress['spec']
type Check = (value: unknown) => boolean

/**
 * The spec without what has a wrong shape, each told: a cluster may have another schema for the kind than ours, or none. A selector that
 * cannot be read selects nothing.
 */
export function readShape(object: string, egress: Egress, findings: Finding[]): Spec {
  const given: unknown = egress.spec
  if (!isRecord(given)) {
    findings.push(wrong(object, 'spec', given))
    return {}
  }
  const kept = Object.entries(given).filter(([name, value]) => {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (value === undefined || value === null || check === undefined) return false
    if (check(value)) return true
    findings.push(wrong(object, `spec.${name}`, value))
    return false
  })
  return Object.fromEntries(kept) as Spec
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText: Check = (value) => typeof value === 'string'
const isNumber: Check = (value) => value === undefined || typeof value === 'number'
const areTexts: Check = (value) => Array.isArray(value) && value.every(isText)
const operators: ReadonlySet<unknown> = new Set(['In', 'NotIn', 'Exists', 'DoesNotExist'])
const isExpression: Check = (value) =>
  isRecord(value) &&
  isText(value.key) &&
  operators.has(value.operator) &&
  (value.values === undefined || areTexts(value.values))
const isSelector: Check = (value) => {
  if (!isRecord(value)) return false
  const { matchLabels = {}, matchExpressions = [] } = value
  const labels = isRecord(matchLabels) && Object.values(matchLabels).every(isText)
  return labels && Array.isArray(matchExpressions) && matchExpressions.every(isExpression)
}
const isOptionalSelector: Check = (value) => value === undefined || isSelector(value)

const checks: Readonly<Record<string, Check>> = {
  appliedTo: (value) =>
    isRecord(value) && isOptionalSelector(value.podSelector) && isOptionalSelector(value.namespaceSelector),
  nodeSelector: isSelector,
  egressIP: isText,
  egressIPs: areTexts,
  externalIPPool: isText,
  externalIPPools: areTexts,
  destinationCIDRs: areTexts,
  excludedCIDRs: areTexts,
  bandwidth: (value) => isRecord(value) && isText(value.rate) && (value.burst === undefined || isText(value.burst)),
  onUnavailable: isText,
  ports: (value) => isRecord(value) && isNumber(value.perNode) && isNumber(value.perPod),
}

function wrong(object: string, field: string, value: unknown): Finding {
  return {
    code: 'WrongShape',
    object,
    field,
    says: `${(JSON.stringify(value) ?? 'nothing').slice(0, 80)} is not what ${field} takes, and is passed over`,
    try: 'install crds/plumb/egresses.yaml, and write the field as kubectl explain egress.spec says',
  }
}
