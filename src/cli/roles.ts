import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { findPrefix, type Prefix, parseAddress } from '../addr/index.ts'
import type { Agent } from '../agent/index.ts'
import type { HttpFlowsRequest, ServerRequest } from '../proxy/index.ts'
import { exit, say } from './output.ts'

/** Prefixes out of a comma-separated option; throws with the option's name and the value. */
function parsePrefixes(option: string, text: string): Prefix[] {
  return text.split(',').map((part) => {
    const prefix = findPrefix(part.trim())
    if (prefix === undefined) throw new Error(`${option}: "${part}" is not an IP prefix; write it as 10.244.0.0/16`)
    return prefix
  })
}

/** Calls back once when the process is told to end. */
export function onSignal(stop: () => Promise<void>): void {
  let stopping = false
  const end = (): void => {
    if (stopping) return
    stopping = true
    stop().then(
      () => process.exit(exit.ok),
      (error: unknown) => {
        say(`plumb: ${String(error)}`)
        process.exit(exit.unhealthy)
      },
    )
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}

/** How a role reaches the API server: exactly one way is given. */
interface Reached {
  kubeconfig?: string
  inCluster: boolean
}

function credentials({ kubeconfig, inCluster }: Reached): { kubeconfig: string } | { inCluster: true } {
  if (inCluster) return { inCluster }
  if (kubeconfig === undefined) throw new Error('say how to reach the API server: --kubeconfig FILE, or --in-cluster')
  return { kubeconfig }
}

export async function runAgent(
  options: Reached & {
    nodeName: string
    socket: string
    healthPort: number
    mtu?: number
    vxlanId: number
    vxlanPort: number
    serviceCidr: string
    nodeportAddresses: string
    localhostNodeports: boolean
    serviceTraffic: number
    fastPath: boolean
    heartbeatInterval?: number
    cleanup: boolean
    policies: 'strict' | 'new-connections' | 'off'
  },
): Promise<void> {
  const { cleanUpNode, openLog, PodsModule, startAgent, UnderlayModule } = await import('../agent/index.ts')
  const { GatewaysModule } = await import('../proxy/index.ts')
  const { cleanUpSpeaker, SpeakerModule } = await import('../speaker/index.ts')
  const { BgpModule } = await import('../bgpd/index.ts')
  const { openHost } = await import('../host/index.ts')
  const host = openHost()
  if (options.cleanup) {
    await cleanUpNode(host.own)
    await cleanUpSpeaker(host.own.network)
    return
  }
  const { connect } = await import('../client/index.ts')
  const log = await openLog(options.nodeName)
  const onTrouble = (message: string) => log.warn({}, message)
  const client = connect({ ...credentials(options), userAgent: 'plumb-agent', onTrouble })
  const pods = new PodsModule(host, host.own, options.mtu)
  const { mtu, vxlanId: id, vxlanPort: port } = options
  if (id >= 1 << 24) throw new Error(`--vxlan-id: ${id} has more than 24 bits; give one below 16777216`)
  if (port < 1 || port > 65535) throw new Error(`--vxlan-port: ${port} is no port; give one of 1-65535`)
  if (mtu !== undefined && (mtu < 1280 || mtu > 65535))
    throw new Error(`--mtu: ${mtu} is not what IPv6 needs at least, 1280, to 65535`)
  const underlay = new UnderlayModule({
    client,
    network: host.own.network,
    log,
    vxlan: { id, port },
    ...(mtu === undefined ? {} : { mtu }),
  })
  const directory = join(dirname(options.socket), `${basename(options.socket, '.sock')}-gateway`)
  // Less than the 30 s that Kubernetes gives a pod to end.
  const drainMs = 10_000
  const gateways = new GatewaysModule({
    client,
    host,
    namespace: host.own,
    nodeName: options.nodeName,
    directory,
    log,
    drainMs,
  })
  const timing = options.heartbeatInterval === undefined ? {} : { heartbeatMs: options.heartbeatInterval }
  const speaker = new SpeakerModule({ client, host, namespace: host.own, nodeName: options.nodeName, log, ...timing })
  const { nodeName } = options
  const bgp = new BgpModule({ client, namespace: host.own, nodeName, directory, log, ownership: speaker })
  const { promise: started, resolve: begin } = Promise.withResolvers<Agent>()
  const agent = await startAgent({
    client,
    host,
    nodeName: options.nodeName,
    options: {
      servicePrefixes: parsePrefixes('--service-cidr', options.serviceCidr),
      ...(options.nodeportAddresses === 'primary'
        ? {}
        : { nodePortAddresses: parsePrefixes('--nodeport-addresses', options.nodeportAddresses) }),
      loopbackNodePorts: options.localhostNodeports,
      ...(options.serviceTraffic === 0 ? {} : { trafficMs: options.serviceTraffic * 1000 }),
      fastPath: options.fastPath,
      modules: [underlay, pods, gateways, speaker, bgp],
      hostPorts: true,
      egress: true,
      ownership: speaker,
      log,
      policies: options.policies,
      socket: {
        path: options.socket,
        routes: {
          'POST /cni': pods.answer(async (pod, addresses) => (await started).admit(pod, addresses)),
          'POST /addresses': () => speaker.answer(),
          'POST /flows/http': (body) => gateways.flows(body as HttpFlowsRequest),
          'POST /gateways/server': (body) => gateways.server(body as ServerRequest),
          'POST /addresses/move': (body) => speaker.move(body),
        },
      },
      ...(options.healthPort === 0 ? {} : { health: { address: parseAddress('0.0.0.0'), port: options.healthPort } }),
    },
  })
  agent.metrics.add(() => bgp.metrics)
  begin(agent)
  onSignal(async () => {
    await agent.stop()
    client.close()
  })
}

export async function runApiServer(options: { config?: string }): Promise<void> {
  if (options.config === undefined) {
    say('plumb: apiserver: --config FILE is missing')
    process.exit(exit.usage)
  }
  const { startApiServer } = await import('../apiserver/index.ts')
  const server = await startApiServer(JSON.parse(readFileSync(options.config, 'utf8')))
  for (const { host, port } of server.addresses) say(`plumb: the API is served at https://${host}:${port}`)
  onSignal(() => server.close())
}

export async function runControllers(
  options: Reached & {
    clusterCidr: string
    controllers: string
    leaderElect: boolean
    clusterCa?: string
  },
): Promise<void> {
  const { connect } = await import('../client/index.ts')
  const { startControllers } = await import('../controllers/index.ts')
  const onTrouble = (message: string) => say(`plumb: controllers: ${message}`)
  const client = connect({ ...credentials(options), userAgent: 'plumb-controllers', onTrouble })
  const controllers = await startControllers({
    client,
    options: {
      controllers: options.controllers.split(','),
      leaderElect: options.leaderElect,
      onTrouble,
      clusterPrefixes: parsePrefixes('--cluster-cidr', options.clusterCidr),
      ...(options.clusterCa === undefined ? {} : { clusterCa: readFileSync(options.clusterCa, 'utf8') }),
    },
  })
  onSignal(async () => {
    await controllers.close()
    client.close()
  })
}

export async function runDiscovery(options: {
  kubeconfig?: string
  port: number
  host?: string
  namespace?: string
  primaryPortName?: string
  includeNotReadyAddresses: boolean
}): Promise<void> {
  const { connect } = await import('../client/index.ts')
  const { startDiscovery } = await import('../discovery/index.ts')
  const { kubeconfig, includeNotReadyAddresses, ...rest } = options
  const client = connect({ ...(kubeconfig === undefined ? {} : { kubeconfig }), userAgent: 'plumb-discovery' })
  const discovery = await startDiscovery(client, { ...rest, includeNotReady: includeNotReadyAddresses })
  say(`plumb: instances are told at http://${options.host ?? 'localhost'}:${discovery.port}/apps`)
  onSignal(async () => {
    await discovery.close()
    client.close()
  })
}

export async function runCniPlugin(): Promise<void> {
  const { callCni } = await import('../cni/index.ts')
  await callCni()
}

export async function runCniInstall(places: { binDir: string; confDir: string; socket: string }): Promise<void> {
  const { installCni } = await import('../cni/index.ts')
  installCni(places)
}
