import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import { replaceFastPath } from '../fastpath/index.ts'
import { type Host, HostError, type Namespace } from '../host/index.ts'

const client = parseAddress('192.0.2.2')
const server = parseAddress('198.51.100.2')
const port = 9
/** Packets get lost only where something is wrong with the trial itself. */
const patienceMs = 5000

/**
 * Tries the fast path with packets between namespaces of its own: the kernel must take a connection over, and give it up when its entry is
 * deleted, by which all who end live connections do so (Linux before 6.4 refuses, unless fix 9b7c68b3911a was carried back). Answers why it
 * cannot be used; undefined when it can.
 */
export async function whyNoFastPath(host: Host): Promise<string | undefined> {
  const namespaces: Namespace[] = []
  const sockets: Socket[] = []
  try {
    const node = create(host, namespaces)
    const ends = [
      join(host, namespaces, node, 'client', '192.0.2'),
      join(host, namespaces, node, 'server', '198.51.100'),
    ]
    node.network.setSysctl('net.ipv4.ip_forward', 1)
    await node.network.commit(replaceFastPath(['client', 'server'], 1))
    node.network.setSysctl('net.netfilter.nf_conntrack_acct', 1)
    const [asking, answering] = [open(host, ends[0]!, client), open(host, ends[1]!, server)]
    sockets.push(asking, answering)
    for (const [from, to, address] of [
      [asking, answering, server],
      [answering, asking, client],
      [asking, answering, server],
    ] as const) {
      const arrived = once(to, 'message', { signal: AbortSignal.timeout(patienceMs) })
      from.send('?', port, address)
      await arrived
    }
    const [connection] = node.network.connections({ family: 4 })
    if (connection?.offloaded !== true) return 'the kernel takes no connection over'
    node.network.deleteConnection(connection)
    return undefined
  } catch (error) {
    if (error instanceof HostError && error.code === 'busy')
      return 'the kernel cannot end a connection that it has taken over; Linux 6.4 can'
    return error instanceof Error ? error.message : String(error)
  } finally {
    for (const one of sockets) one.close()
    for (const one of namespaces) one.close()
  }
}

function create(host: Host, namespaces: Namespace[]): Namespace {
  const namespace = host.createNamespace()
  namespaces.push(namespace)
  return namespace
}

function join(host: Host, namespaces: Namespace[], node: Namespace, name: string, prefix: string): Namespace {
  const end = create(host, namespaces)
  node.network.addVeth({ name, peerName: 'eth0', peerNamespace: end })
  node.network.setLink(name, { up: true })
  end.network.setLink('eth0', { up: true })
  node.network.addAddress(name, parseAddress(`${prefix}.1`), 24)
  end.network.addAddress('eth0', parseAddress(`${prefix}.2`), 24)
  end.network.setRoute({ destination: parsePrefix('0.0.0.0/0'), gateway: parseAddress(`${prefix}.1`), link: 'eth0' })
  return end
}

function open(host: Host, namespace: Namespace, address: ReturnType<typeof parseAddress>): Socket {
  const socket = createSocket('udp4')
  socket.on('error', () => {})
  socket.bind({ fd: host.bindUdp(namespace, address, port).fd })
  return socket
}
