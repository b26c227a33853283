// What the rules of kube-proxy's nodes are read to do with a packet, to be held against what it meets.
import { type Address, parseAddress } from '../src/addr/index.ts'
import { lookUpFront } from '../src/netfilter/index.ts'
import { readRules } from '../src/probes/index.ts'
import type { KubeProxyCluster } from './kube-proxy-cluster.ts'

/** Addresses and ports at which clients ask: served, refused, dropped and unknown ones. */
export const fronts = [
  '10.96.0.50:80',
  '10.96.0.60:80',
  '10.96.0.70:80',
  '10.96.0.80:80',
  '10.96.0.99:80',
  '172.31.0.11:30080',
  '172.31.0.12:30080',
  '172.31.0.11:30081',
  '172.31.0.12:30081',
  '203.0.113.80:80',
] as const

/** What the rules of the nodes on the way let a client meet: names of pods, `refused` or `silence`. */
export async function foretell(cluster: KubeProxyCluster, client: string, front: string): Promise<readonly string[]> {
  const [address = '', port = ''] = front.split(':')
  // Packets of the client outside come in at the node that has the address, or at its gateway.
  const owner = ['node-1', 'node-2'].find((node) => cluster.place(node).address === address)
  const home = client.endsWith('-b') || client === 'node-2' ? 'node-2' : 'node-1'
  const entry = client === 'outside' ? (owner ?? 'node-1') : home
  const read = await readRules(cluster.place(entry).namespace)
  const source = cluster.place(client).address
  const found = lookUpFront(read, { source, address: parseAddress(address), protocol: 'tcp', port: Number(port) })
  // A pod or node that asks at another node's address is led on there, where it is a stranger or a pod.
  if (found.action === 'absent' && owner !== undefined && owner !== entry) {
    const there = await readRules(cluster.place(owner).namespace)
    const led = lookUpFront(there, { source, address: parseAddress(address), protocol: 'tcp', port: Number(port) })
    // Not masqueraded, an endpoint of the client's own node answers it past the node that translated.
    const past = led.masqueraded === 'none' && led.endpoints.some((one) => homeOf(cluster, one.address) === home)
    return past && client !== 'outside' ? ['silence'] : words(cluster, led)
  }
  return words(cluster, found)
}

function homeOf(cluster: KubeProxyCluster, address: Address): string {
  const node = address.split('.')[2]
  return cluster.places.has(`node-${node}`) ? `node-${node}` : ''
}

function words(cluster: KubeProxyCluster, { action, endpoints }: ReturnType<typeof lookUpFront>): readonly string[] {
  const podOf = (address: Address): string =>
    [...cluster.places].find(([, place]) => place.address === address)?.[0] ?? address
  // What no rule knows goes on to nobody: a node refuses it, a default route loses it.
  if (action === 'absent') return ['refused', 'silence']
  return action === 'balance'
    ? endpoints.map((one) => podOf(one.address))
    : [action === 'reject' ? 'refused' : 'silence']
}
