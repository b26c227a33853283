import { type Address, families } from '../addr/index.ts'
import type { Client, Informer, Resource } from '../client/index.ts'
import { ChangeFeed, type Collection, keyOf, LiveSnapshot } from '../cluster/index.ts'
import { type ContainerExit, LogBuffer, type RunningContainer } from '../containers/index.ts'
import type { Zone } from '../dns/index.ts'
import { type Host, HostError, type Namespace } from '../host/index.ts'
import type { Builtin } from '../kubelet/index.ts'
import { EndpointSlices, type KubeObject, Namespaces, Pods, Services } from '../objects/index.ts'
import type { LabNetwork } from './config.ts'
import type { DnsServer } from './dns-server.ts'

const port = 53
const wildcards = { 4: '0.0.0.0', 6: '::' } as const

/** The cluster's DNS as a container: one zone for all its pods, answered on port 53 of each. */
export function dnsBuiltin(host: Host, client: Client, network: LabNetwork): Builtin {
  let zone: Promise<Zone> | undefined
  return async (_pod, _container, namespace) => {
    zone ??= followZone(client, network)
    return openDns(host, namespace, await zone)
  }
}

/** The cluster's zone, which follows the API from now on. */
async function followZone(client: Client, { clusterDomain, servicePrefixes, podPrefixes }: LabNetwork): Promise<Zone> {
  const { compileZone } = await import('../dns/index.ts')
  const feed = new ChangeFeed()
  const snapshot = new LiveSnapshot(feed)
  let zone: Zone | undefined
  const follow = (collection: Collection, resource: Resource): Promise<void> => {
    const informer: Informer<KubeObject> = client.informer(resource)
    informer.onChange((_old, current, key) => {
      snapshot.put(collection, key, current as never)
      zone?.update(feed.take())
    })
    // The kubelet follows some of these already: what the cache holds now is not told again.
    for (const object of informer.values()) {
      snapshot.put(collection, keyOf(object), object as never)
    }
    return informer.start()
  }
  await Promise.all([
    follow('services', Services),
    follow('slices', EndpointSlices),
    follow('pods', Pods),
    follow('namespaces', Namespaces),
  ])
  feed.take()
  zone = compileZone(snapshot, { clusterDomain, reversePrefixes: [...servicePrefixes, ...podPrefixes] })
  return zone
}

async function openDns(host: Host, namespace: Namespace, zone: Zone): Promise<RunningContainer> {
  const [{ answerPacket }, { serveDns }] = await Promise.all([import('../dns/index.ts'), import('./dns-server.ts')])
  const log = new LogBuffer()
  const servers: DnsServer[] = []
  for (const family of families) {
    try {
      const address = wildcards[family] as Address
      servers.push(
        await serveDns({
          udpFd: host.bindUdp(namespace, address, port).fd,
          tcpFd: host.listenTcp(namespace, address, port).fd,
          family,
          answer: (bytes, transport) => answerPacket(zone, bytes, transport),
          onTrouble: (message) => log.line(message),
        }),
      )
    } catch (error) {
      // A machine without IPv6 has IPv4 listeners only.
      if (!(error instanceof HostError) || error.errno !== 'EAFNOSUPPORT') throw error
    }
  }
  log.line(`serving ${zone.domain} on port ${port}`)
  const { promise: exited, resolve } = Promise.withResolvers<ContainerExit>()
  const stop = (): void => {
    log.end()
    Promise.all(servers.map((server) => server.close())).then(() => resolve({ exitCode: 0 }))
  }
  return { log, warmsUp: false, exited, stop }
}
