import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, families, familyOf, findAddress } from '../addr/index.ts'
import { internalAddresses, keyOf, type Snapshot } from '../cluster/index.ts'
import {
  type AskedOf,
  compareProxy,
  findPlugins,
  findProxyPod,
  findStops,
  type NodeState,
  type Place,
  type Plugins,
  type Subject,
} from '../doctor/index.ts'
import type { Evidence, Observation } from '../explain/index.ts'
import { type Host, type Namespace, openHost } from '../host/index.ts'
import type { NodeRules } from '../netfilter/index.ts'
import { findNamespaces, lookAtNode, lookAtSockets, readRules, runsHere } from '../probes/index.ts'
import { askKernel } from './ask-kernel.ts'
import { askAgentOf, findAgentState } from './evidence.ts'
import type { Sight } from './sight.ts'

export const agentSocket = '/run/plumb/agent.sock'
/** kube-proxy waits up to a second between rounds (`--iptables-min-sync-period`, `--nftables-min-sync-period`). */
const roundMs = 1500

/** The cluster that this machine looks at. */
interface Looked {
  /** The Node that this machine is said to be. */
  readonly node: string | undefined
  /** API groups. */
  readonly groups: readonly string[]
  /** Nodes whose network is Plumb's. */
  readonly plumbs: readonly string[]
  /** Nodes whose agents' pods are asked. */
  readonly asked: readonly string[]
  readonly reread: () => Promise<Snapshot>
}

/** What this machine is to a cluster that is no lab: one of its nodes, or somebody outside. A text says why the node that was named is not this machine. */
export function hereSight(snapshot: Snapshot, looked: Looked): Sight | string {
  const { node: named, groups } = looked
  const host = openHost()
  const own = new Set(host.own.network.addresses().map(({ address }) => address))
  const mine = [...snapshot.nodes.values()].find((one) => internalAddresses(one).some((address) => own.has(address)))
  const plugins = findPlugins(snapshot, groups)
  if (named !== undefined) {
    const object = snapshot.nodes.get(named)
    if (object === undefined)
      return `there is no node/${named}; there are ${[...snapshot.nodes.keys()].slice(0, 8).join(', ')}`
    if (mine?.metadata.name !== named)
      return `this machine has none of the addresses of node/${named} (${internalAddresses(object).join(', ')}); run it there`
  }
  return mine === undefined
    ? outsideSight(host, snapshot, plugins, looked)
    : new NodeSight(host, snapshot, mine.metadata.name, plugins, looked)
}

/** Nodes that nobody sees, as a sentence of what cannot be told. */
function unseenNodes({ nodes }: Snapshot, seen: readonly string[]): readonly string[] {
  const names = [...nodes.keys()].filter((name) => !seen.includes(name))
  if (names.length === 0) return []
  const which = names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
  return [`rules, routes, connections and sockets of ${which} are seen only there: run plumb there too, as root`]
}

/** Who may enforce policies where Plumb does not; undefined where it does on every node. */
function enforcersBeside({ nodes }: Snapshot, plumbs: readonly string[], { enforcers }: Plugins) {
  return [...nodes.keys()].every((name) => plumbs.includes(name)) ? undefined : enforcers
}

function outsideSight(host: Host, snapshot: Snapshot, plugins: Plugins, { plumbs, asked }: Looked): Sight {
  const nodes = [...snapshot.nodes.values()].flatMap((one) => internalAddresses(one))
  const outside = families.flatMap((family): Address[] => {
    const target = nodes.find((one) => familyOf(one) === family)
    const route = target === undefined ? undefined : host.own.network.lookupRoute(target)
    const source =
      route?.source ??
      host.own.network.addresses().find(({ link, address }) => link === route?.link && familyOf(address) === family)
        ?.address
    return source === undefined || route?.kind === 'unreachable' ? [] : [source]
  })
  return {
    says: 'this machine is none of the nodes: it stands for clients outside',
    outside,
    open: async (place) => {
      if (place.kind === 'outside') return host.openNamespace(host.own.path)
      throw new Error('this machine is outside of the cluster')
    },
    seen: [],
    enforcers: enforcersBeside(snapshot, plumbs, plugins),
    agents: plumbs,
    ask: async (all) =>
      new Map(
        all.map((one): [Observation, Evidence] => [
          one,
          { kind: 'unseen', says: `not seen from outside: run it on ${one.node}` },
        ]),
      ),
    lookAt: async () => [],
    sockets: async () => {
      throw new Error('this machine is outside of the cluster')
    },
    blind: [...unseenNodes(snapshot, asked), ...describe(plugins.found)],
  }
}

/** On one of the nodes: its kernel, its rules and its pods. */
class NodeSight implements Sight {
  readonly outside: readonly Address[] = []
  readonly says: string
  readonly blind: readonly string[]
  readonly seen: readonly string[]
  readonly agents: readonly string[]
  readonly enforcers: readonly string[] | undefined
  readonly #host: Host
  readonly #snapshot: Snapshot
  readonly #node: string
  readonly #plugins: Plugins
  readonly #reread: () => Promise<Snapshot>
  #rules: Promise<NodeRules> | undefined
  #namespaces: ReadonlyMap<Address, string> | undefined

  constructor(host: Host, snapshot: Snapshot, node: string, plugins: Plugins, looked: Looked) {
    this.#host = host
    this.#snapshot = snapshot
    this.#node = node
    this.#plugins = plugins
    this.#reread = looked.reread
    this.says = `this machine is node/${node}`
    this.seen = [node]
    // An agent may run as a process of the machine, without a pod.
    this.agents = existsSync(agentSocket) ? [...new Set([...looked.plumbs, node])] : looked.plumbs
    this.enforcers = enforcersBeside(snapshot, this.agents, plugins)
    const root = process.getuid?.() === 0 ? [] : ['rules and pods of this node need root: run it with sudo']
    this.blind = [...root, ...unseenNodes(snapshot, [node, ...looked.asked]), ...describe(plugins.found)]
  }

  open = async (place: Place): Promise<Namespace> => {
    if (place.kind === 'node' && place.name === this.#node) return this.#host.openNamespace(this.#host.own.path)
    if (place.kind !== 'pod') throw new Error(`it is not on ${this.#node}`)
    const pod = this.#snapshot.pods.get(`${place.namespace}/${place.name}`)
    if (pod?.spec.nodeName !== this.#node) throw new Error(`it runs on ${pod?.spec.nodeName ?? 'no node'}, not here`)
    if (pod.spec.hostNetwork === true) return this.#host.openNamespace(this.#host.own.path)
    this.#namespaces ??= findNamespaces(this.#host)
    const addresses = (pod.status?.podIPs ?? []).flatMap(({ ip }) => findAddress(ip) ?? [])
    const path = addresses.map((one) => this.#namespaces?.get(one)).find((one) => one !== undefined)
    if (path === undefined)
      throw new Error(
        `no network namespace of this machine has its address${addresses[0] === undefined ? '' : ` ${addresses[0]}`}`,
      )
    return this.#host.openNamespace(path)
  }

  async ask(observations: readonly Observation[]): Promise<ReadonlyMap<Observation, Evidence>> {
    const answers = await Promise.all(
      observations.map(async (one): Promise<[Observation, Evidence]> => {
        if (one.node !== this.#node)
          return [one, { kind: 'unseen', says: `not seen from ${this.#node}: run it on ${one.node}` }]
        try {
          return [one, await this.#ask(one)]
        } catch (error) {
          return [one, { kind: 'unseen', says: (error as Error).message }]
        }
      }),
    )
    return new Map(answers)
  }

  async lookAt(nodes: readonly string[], subject: Subject, packets: readonly AskedOf[]): Promise<readonly NodeState[]> {
    if (!nodes.includes(this.#node)) return []
    const state = await lookAtNode(this.#node, this.open)
    if (this.#hasAgent()) return [{ ...state, agent: await findAgentState(agentSocket) }]
    const rules = await this.#readRules()
    const proxy = await this.#compare(subject)
    // Whose rules they are is told by name where one of them ends a packet.
    const stops = findStops(rules, packets)
    return [{ ...state, foreignTables: [], agent: undefined, proxy, stops, unread: rules.blind }]
  }

  sockets: Sight['sockets'] = (namespace, name) => lookAtSockets({ kind: 'pod', namespace, name }, this.open)

  #hasAgent(): boolean {
    return this.agents.includes(this.#node)
  }

  async #ask(observation: Observation): Promise<Evidence> {
    // Sockets of pods are read the same way, agent or not.
    if (this.#hasAgent() && observation.kind !== 'listener')
      return askAgentOf(agentSocket, observation, async () => this.#host.own.path)
    const others = this.#others()
    return askKernel(
      { namespace: this.#host.own, rules: await this.#readRules(), others, open: this.open },
      observation,
    )
  }

  #readRules(): Promise<NodeRules> {
    this.#rules ??= readRules(this.#host.own)
    return this.#rules
  }

  /** What changed a moment ago is on its way to the rules: what differs is looked at again. */
  async #compare(subject: Subject) {
    const key = keyOf(subject.service)
    const compare = async (snapshot: Snapshot) => {
      const runs = runsHere(this.#host, 'kube-proxy')
      return compareProxy(
        snapshot,
        { node: this.#node, rules: await this.#readRules(), runs, others: this.#others() },
        key,
      )
    }
    const first = await compare(this.#snapshot)
    if (first.behind === 0 || first.mode === 'none') return first
    await pause(roundMs)
    const snapshot = await this.#reread()
    this.#rules = undefined
    return compare(snapshot)
  }

  /** Where kube-proxy is meant to run, nobody takes its place. */
  #others(): readonly string[] {
    return findProxyPod(this.#snapshot, this.#node) === undefined ? this.#plugins.proxies : []
  }
}

function describe(found: readonly string[]): readonly string[] {
  return found.length === 0 ? [] : [`the network is of others, whose own state is not read: ${found.join(', ')}`]
}
