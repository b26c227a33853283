import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '../addr/index.ts'
import { familyOf } from '../addr/index.ts'
import type { ApiServerOptions } from '../apiserver/index.ts'
import type { Host } from '../host/index.ts'
import { keeperOptions } from '../memory/index.ts'
import { accessObjects, agentsGroup, controllersUser } from './access.ts'
import type { LabConfig } from './config.ts'
import { type Credentials, issueClient, writeKubeconfig } from './credentials.ts'
import type { Machine, Rack } from './rack.ts'
import { Role } from './roles.ts'

const apiPort = 6443

/** The processes of a lab and how to reach its API. */
export interface Processes {
  readonly roles: readonly Role[]
  /** The operator's, for the host. */
  readonly kubeconfig: string
  /** The API server on loopback. */
  readonly server: string
}

/**
 * Starts the API server, the controllers and an agent per node, all at once. The API's listening sockets are made here and
 * handed down: connections wait in their backlog until the API server is there, also while it is started again.
 */
export async function startProcesses(
  host: Host,
  config: LabConfig,
  rack: Rack,
  credentials: Credentials,
  onExit: (role: string, reason: string) => void,
): Promise<Processes> {
  const loopback = host.listenTcp(host.own, '127.0.0.1' as Address, 0)
  const inside = rack.control.addresses.map((address) => host.listenTcp(rack.control.namespace, address, apiPort))
  const kubeconfig = join(config.path, 'kubeconfig')
  const clusterCa = join(config.path, 'ca.crt')
  const server = `https://127.0.0.1:${loopback.port}`
  writeKubeconfig(kubeconfig, server, credentials, config.name)
  writeFileSync(clusterCa, credentials.authority.cert)
  const descriptors = [loopback.fd, ...inside.map(({ fd }) => fd)]
  const apiConfig = join(config.path, 'apiserver.json')
  const options = apiServerOptions(config, rack.control, credentials, descriptors.length)
  writeFileSync(apiConfig, JSON.stringify(options), { mode: 0o600 })

  const role = (
    name: string,
    machine: Machine,
    words: readonly string[],
    fds: readonly number[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Role =>
    new Role({
      name,
      command: [...config.entry, ...words],
      namespace: machine.namespace,
      logPath: join(config.path, `${name}.log`),
      descriptors: fds,
      environment,
      onExit: (reason) => onExit(name, reason),
    })
  const { network } = config
  const inCluster = `https://${rack.control.addresses[0]}:${apiPort}`
  const kubeconfigOf = async (name: string, user: string, ...groups: string[]): Promise<string> => {
    const path = join(config.path, `${name}.kubeconfig`)
    writeKubeconfig(path, inCluster, credentials, config.name, await issueClient(credentials, user, ...groups))
    return path
  }
  const apiServer = role('apiserver', rack.control, ['apiserver', '--config', apiConfig], descriptors)
  const [controllersKubeconfig, ...agentKubeconfigs] = await Promise.all([
    kubeconfigOf('controllers', controllersUser),
    ...rack.nodes.map(({ name }) => kubeconfigOf(`agent-${name}`, `plumb:agent:${name}`, agentsGroup)),
  ])
  return {
    kubeconfig,
    server,
    roles: [
      apiServer,
      role('controllers', rack.control, [
        ...['controllers', '--kubeconfig', controllersKubeconfig],
        ...['--cluster-cidr', network.podPrefixes.join(), '--cluster-ca', clusterCa],
      ]),
      ...rack.nodes.map((node, i) =>
        role(
          `agent-${node.name}`,
          node,
          [
            ...['agent', '--kubeconfig', agentKubeconfigs[i]!, '--node-name', node.name],
            ...['--socket', agentSocket(config, node.name), '--service-cidr', network.servicePrefixes.join()],
            ...(config.heartbeatMs === undefined ? [] : ['--heartbeat-interval', String(config.heartbeatMs)]),
          ],
          [],
          { NODE_OPTIONS: keeperOptions },
        ),
      ),
    ],
  }
}

/** Where a node's agent takes CNI calls. */
export function agentSocket(config: LabConfig, node: string): string {
  return join(config.path, node, 'agent.sock')
}

/** Where the API server keeps its store. */
export function apiFolder({ path }: LabConfig): string {
  return join(path, 'api')
}

function apiServerOptions(
  config: LabConfig,
  control: Machine,
  { apiServer, authority, kubeletClient }: Credentials,
  descriptorCount: number,
): ApiServerOptions {
  const { network } = config
  // The endpoints of the Service `kubernetes` have one family, its own.
  const first = network.servicePrefixes[0]?.includes(':') ? 6 : 4
  return {
    dataDir: apiFolder(config),
    // Inherited descriptors start after the standard streams.
    listeners: Array.from({ length: descriptorCount }, (_, i) => ({ fd: 3 + i })),
    tls: { ...apiServer, clientCa: authority.cert },
    kubelet: { ...kubeletClient, ca: authority.cert },
    serviceCidrs: network.servicePrefixes,
    definitions: [join(import.meta.dirname, '../../crds')],
    objects: accessObjects(),
    ...(config.audit === undefined ? {} : { audit: config.audit }),
    advertise: { addresses: control.addresses.filter((address) => familyOf(address) === first), port: apiPort },
  }
}
