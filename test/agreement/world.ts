// A cluster of three nodes for real: agents on namespaces, servers in every pod, on every node and beyond the router.

import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { type Address, type Family, familyOf, parseAddress } from '../../src/addr/index.ts'
import { EgressRig, outside } from '../../src/agent/egress.fixture.ts'
import { type Station, serveTcp, serveUdp } from '../../src/agent/rig.fixture.ts'
import { ChangeFeed, keyOf, LiveSnapshot } from '../../src/cluster/index.ts'
import { compileEndpointSlices } from '../../src/endpoints/index.ts'
import type { End, Question } from '../../src/explain/index.ts'
import { tapPackets } from '../../src/host/index.ts'
import type { EndpointSlice, KubeObject, Node, Pod } from '../../src/objects/index.ts'
import { namespaceObject, nodeObject } from '../../src/policies/cluster.fixture.ts'
import { parsePacket } from '../../src/probes/packet.ts'
import type { Arrivals } from './met.ts'
import {
  type Asked,
  clusterIp,
  egressesOf,
  externalIp,
  hostPod,
  nodePort,
  podNames,
  policiesOf,
  type RandomCluster,
  servicesOf,
} from './random-cluster.ts'

const servedPort = 8080
const collections: Readonly<Record<string, string>> = {
  Pod: 'pods',
  Node: 'nodes',
  Namespace: 'namespaces',
  Service: 'services',
  EndpointSlice: 'slices',
  Egress: 'egresses',
  NetworkPolicy: 'policies',
  ClusterNetworkPolicy: 'clusterPolicies',
}

export class World {
  readonly rig = new EgressRig()
  readonly feed = new ChangeFeed()
  readonly snapshot = new LiveSnapshot(this.feed)
  readonly stations = new Map<string, Station>()
  /** Who waits for an INIT of SCTP to arrive somewhere. */
  readonly arrivals: Arrivals = new Map()
  #held = new Map<string, KubeObject>()
  #closing: { close(): void }[] = []
  /** Who holds which egress address. */
  owners: ReadonlyMap<Address, string> = new Map()

  async start(): Promise<void> {
    const { rig } = this
    for (const node of rig.nodes) {
      // Many are refused at once, and the kernel would answer some of them later.
      node.network.setSysctl('net.ipv4.icmp_ratemask', 0)
      node.network.setSysctl('net.ipv6.icmp.ratelimit', 0)
    }
    for (const object of [...this.#nodes(), namespaceObject('shop', { app: 'a' })]) this.#put(object)
    await rig.start()
    for (const [at, name] of podNames.entries()) {
      const { namespace, addresses } = await rig.addPod(name, Math.floor(at / 2) + 1, {})
      this.#serve({ name, namespace, addresses: byFamily(addresses) })
    }
    for (const [at, namespace] of rig.nodes.entries())
      this.#serve({ name: `node-${at + 1}`, namespace, addresses: nodeAddresses(at + 1) })
    this.#serve({ name: 'outside', namespace: rig.server, addresses: outside })
    // The router hands every external address to one node, as an announcement of it would have it.
    const mac = rig.node('node-1').network.findLink('eth0')?.mac
    if (mac === undefined) throw new Error('node-1 has no link')
    for (const index of [0, 1, 2])
      for (const family of [4, 6] as const)
        rig.router.network.setNeighbour({ address: externalIp(index, family), link: 'br0', mac, state: 'permanent' })
  }

  #serve(station: Station): void {
    this.stations.set(station.name, station)
    if (!station.name.startsWith('node-')) this.#closing.push(this.#watch(station))
    for (const family of [4, 6] as const)
      this.#closing.push(serveTcp(station, family, servedPort), serveUdp(station, family, servedPort))
  }

  /** Nodes would see what only passes through them, too. */
  #watch({ name, namespace, addresses }: Station): { close(): void } {
    const own = Object.values(addresses)
    return tapPackets(namespace, (packet) => {
      const seen = parsePacket(packet)
      if (seen?.body.kind !== 'sctp' || !own.includes(seen.destination)) return
      const { tag, destinationPort } = seen.body
      this.arrivals.get(tag)?.(`${name} ${seen.source} ${destinationPort}`)
    })
  }

  *#nodes(): Iterable<Node> {
    for (const index of [1, 2, 3]) {
      const node = nodeObject(index, { 'topology.kubernetes.io/zone': index === 1 ? 'here' : 'there', app: 'a' })
      const annotations = { 'plumb.network/egress-index': String(index - 1) }
      yield { ...node, metadata: { ...node.metadata, annotations } }
    }
  }

  /** Makes the cluster this one, and waits until every kernel has it. */
  async become(cluster: RandomCluster): Promise<void> {
    const pods = this.#pods(cluster)
    const nodes = new Map([...this.#nodes()].map((node) => [node.metadata.name, node]))
    const services = servicesOf(cluster)
    const slices = services.flatMap((service) =>
      compileEndpointSlices(service, pods, nodes, []).create.map((slice, at): EndpointSlice => {
        const metadata = { ...slice.metadata, name: `${service.metadata.name}-${at}` }
        return { ...slice, metadata }
      }),
    )
    const egress = egressesOf(cluster)
    const all = [...pods, ...services, ...slices, ...egress.objects, ...policiesOf(cluster)]
    const wanted = new Map(all.map((object) => [`${object.kind} ${keyOf(object)}`, object]))
    for (const [id, object] of this.#held) if (!wanted.has(id)) this.#delete(object)
    for (const [id, object] of wanted) if (!isDeepStrictEqual(this.#held.get(id), object)) this.#put(object)
    this.#held = wanted
    for (const address of new Set([...this.owners.keys(), ...egress.owners.keys()]))
      this.rig.owners.move(address, egress.owners.get(address))
    const isOrphaned = [...this.owners.keys()].some((address) => !egress.owners.has(address))
    this.owners = egress.owners
    await this.rig.settled()
    if (!isOrphaned) return
    // For two seconds the former owner of an address without a successor goes on.
    await pause(2500)
    await this.rig.settled()
  }

  #pods({ pods }: RandomCluster): readonly Pod[] {
    return [...podNames, hostPod].map((name, at): Pod => {
      const onHost = name === hostPod
      const node = onHost ? 2 : Math.floor(at / 2) + 1
      const addresses = onHost ? nodeAddresses(2) : this.station(name).addresses
      const { app, ready } = pods[at] ?? { app: undefined, ready: true }
      const status = ready ? 'True' : 'False'
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'shop', uid: `uid-${name}`, labels: app === undefined ? {} : { app } },
        spec: {
          nodeName: `node-${node}`,
          ...(onHost ? { hostNetwork: true } : {}),
          containers: [{ name: 'main', ports: [{ name: 'web', containerPort: servedPort }] }],
        },
        status: {
          phase: 'Running',
          podIP: addresses[4],
          podIPs: [{ ip: addresses[4] }, { ip: addresses[6] }],
          conditions: [{ type: 'Ready', status, lastTransitionTime: '2026-01-01T00:00:00Z' }],
        },
      } as Pod
    })
  }

  #put(object: KubeObject): void {
    this.rig.objects.put(object)
    this.snapshot.put(collections[object.kind] as 'pods', keyOf(object), object as Pod)
  }

  #delete(object: KubeObject): void {
    this.rig.objects.delete(object.kind, keyOf(object))
    this.snapshot.put(collections[object.kind] as 'pods', keyOf(object), undefined)
  }

  station(name: string): Station {
    const found = this.stations.get(name === hostPod ? 'node-2' : name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  /** What was drawn, in the words of a question. */
  questionOf({ from, to, family, transport, wrongPort }: Asked): Question & { readonly port: number } {
    const { address, port } = this.#target(to, family)
    return {
      from: this.#end(from, family),
      to: { kind: 'address', address },
      transport,
      family,
      port: transport === 'icmp' ? 0 : wrongPort ? 9 : port,
    }
  }

  #end(from: Asked['from'], family: Family): End {
    if (from === 'outside') return { kind: 'address', address: outside[family] }
    if (from.startsWith('node-')) return { kind: 'node', name: from }
    return { kind: 'pod', namespace: 'shop', name: from }
  }

  #target(to: Asked['to'], family: Family): { address: Address; port: number } {
    switch (to.kind) {
      case 'pod':
        return { address: this.station(to.name).addresses[family], port: servedPort }
      case 'cluster-ip':
        return { address: clusterIp(to.index, family), port: 80 }
      case 'node-port':
        return { address: nodeAddresses(to.node)[family], port: nodePort(to.index) }
      case 'external':
        return { address: externalIp(to.index, family), port: 80 }
      case 'node':
        return { address: nodeAddresses(to.node)[family], port: servedPort }
      case 'outside':
        return { address: outside[family], port: servedPort }
      case 'nobody':
        return {
          address: parseAddress(family === 4 ? `10.244.${to.node}.99` : `fd00:244:0:${to.node}::99`),
          port: servedPort,
        }
      default:
        return to satisfies never
    }
  }

  async close(): Promise<void> {
    for (const one of this.#closing) one.close()
    await this.rig.close()
  }
}

function nodeAddresses(index: number): Record<Family, Address> {
  return { 4: parseAddress(`172.30.0.${10 + index}`), 6: parseAddress(`fd00:30::${10 + index}`) }
}

function byFamily(addresses: readonly Address[]): Record<Family, Address> {
  const of = (family: Family): Address => {
    const found = addresses.find((one) => familyOf(one) === family)
    if (found === undefined) throw new Error(`no IPv${family} address`)
    return found
  }
  return { 4: of(4), 6: of(6) }
}
