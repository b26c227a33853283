import type { Client, Resource } from '../client/index.ts'
import type { Changes, Finding, Snapshot } from '../cluster/index.ts'
import type { KubeEvent, KubeObject } from '../objects/index.ts'

const events: Resource = { group: '', version: 'v1', plural: 'events', namespaced: true, kind: 'Event' }

/** The collections that policies are in, and their API groups. */
const kinds = {
  networkpolicy: ['policies', 'networking.k8s.io/v1', 'NetworkPolicy'],
  clusternetworkpolicy: ['clusterPolicies', 'policy.networking.k8s.io/v1alpha2', 'ClusterNetworkPolicy'],
  adminnetworkpolicy: ['adminPolicies', 'policy.networking.k8s.io/v1alpha1', 'AdminNetworkPolicy'],
  baselineadminnetworkpolicy: ['baselinePolicies', 'policy.networking.k8s.io/v1alpha1', 'BaselineAdminNetworkPolicy'],
} as const

/** Whether a policy of any kind is among what changed. */
export function touchesPolicies(changes: Changes): boolean {
  return Object.values(kinds).some(([collection]) => changes[collection].size > 0)
}

interface Broken {
  readonly object: KubeObject
  readonly apiVersion: string
  readonly kind: string
}

/** Remembered mistakes; those beyond are told again after a restart alone. */
const maximumTold = 10_000

/**
 * Writes a Warning on each policy of which something cannot be read, once for each mistake and version of the object. Every node finds
 * the same, so the event's name is made of what it says, and the first node's is kept. Best effort.
 */
export class PolicyEvents {
  readonly #client: Client
  readonly #snapshot: Snapshot
  readonly #node: string
  readonly #told = new Set<string>()

  constructor(client: Client, snapshot: Snapshot, node: string) {
    this.#client = client
    this.#snapshot = snapshot
    this.#node = node
  }

  /** These are the mistakes of policies, as of now. */
  update(findings: readonly Finding[]): void {
    for (const finding of findings) {
      const found = this.#find(finding.object)
      if (found === undefined) continue
      const { uid = '', generation = 0 } = found.object.metadata
      const key = [uid, generation, finding.code, finding.field].join(' ')
      if (this.#told.has(key) || this.#told.size >= maximumTold) continue
      this.#told.add(key)
      this.#client.create(events, this.#event(found, finding)).catch(() => undefined)
    }
  }

  #find(
    object: string,
  ): { readonly object: KubeObject; readonly apiVersion: string; readonly kind: string } | undefined {
    const [word = '', ...rest] = object.split('/')
    if (!Object.hasOwn(kinds, word)) return undefined
    const [collection, apiVersion, kind] = kinds[word as keyof typeof kinds]
    const policy = this.#snapshot[collection].get(rest.join('/'))
    return policy && { object: policy, apiVersion, kind }
  }

  #event({ object, apiVersion, kind }: Broken, finding: Finding): KubeEvent {
    const { name, namespace, uid, generation = 0 } = object.metadata
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const suffix = `${generation}-${finding.code}-${finding.field}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${suffix.replace(/-+$/, '')}`.slice(0, 250), namespace: namespace ?? 'default' },
      involvedObject: {
        apiVersion,
        kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
      },
      type: 'Warning',
      reason: finding.code,
      message: `${finding.field}: ${finding.says}; ${finding.try}`.slice(0, 1000),
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component: 'plumb-agent', host: this.#node },
      reportingComponent: 'plumb-agent',
    }
  }
}
