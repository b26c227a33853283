import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '../addr/index.ts'
import { ContainerProcess, type RunningContainer, StandIn, withPrivileges } from '../containers/index.ts'
import type { Namespace } from '../host/index.ts'
import { ConfigMaps, type Container, type Pod, Secrets } from '../objects/index.ts'
import { findLocalImage, findProgram, standInPorts } from './container-command.ts'
import { buildEnvironment, type EnvironmentSources, readField } from './environment.ts'
import { podHostname, renderHostsFile } from './hosts-file.ts'
import type { KubeletDoor } from './kubelet-door.ts'
import { PodVolumes } from './pod-volumes.ts'
import { renderResolvConf } from './resolv-conf.ts'
import type { LastWords } from './termination-message.ts'

/** The network that a pod's containers share. */
export interface PodNetwork {
  readonly namespace: Namespace
  readonly addresses: readonly Address[]
  readonly hostAddresses: readonly Address[]
}

const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Where programs of containers are looked for: the places of an image, then those of whoever started the lab. */
export function programPath(): string {
  return [...new Set([...standardPath.split(':'), ...(process.env.PATH ?? '').split(':')])].filter(Boolean).join(':')
}

/** Starts a container of a pod: as a program of this machine, as one of the lab's own, or as a stand-in. */
export async function startContainer(
  door: KubeletDoor,
  pod: Pod,
  container: Container,
  network: PodNetwork,
  volumes: PodVolumes,
  attempt: number,
  processesOf?: number,
): Promise<RunningContainer> {
  const builtin = door.builtins.get(container.image ?? '')
  if (builtin !== undefined) return builtin(pod, container, network.namespace)
  const sources = environmentSources(door, pod, network)
  // A stand-in shows nobody its environment, but a reference to nothing must fail all the same.
  const refers = container.envFrom !== undefined || container.env?.some(({ valueFrom }) => valueFrom !== undefined)
  const own =
    refers || (container.command ?? container.args ?? findLocalImage(container, door.images)) !== undefined
      ? await buildEnvironment(pod, container, sources)
      : {}
  const environment = { PATH: programPath(), HOME: '/root', HOSTNAME: podHostname(pod), ...own }
  const argv = findProgram(container, environment, environment.PATH, door.images)
  if (argv !== undefined) {
    const directory = podDirectory(door, pod)
    const { namespace } = network
    return new ContainerProcess({
      namespace,
      argv: withPrivileges(pod, container, argv),
      environment,
      hostname: podHostname(pod),
      workingDirectory: container.workingDir ?? '/',
      scratch: join(directory, `${container.name}-${attempt}`),
      files: writeFiles(door, pod, network),
      lastWordsPath: (container as LastWords).terminationMessagePath ?? '/dev/termination-log',
      stdin: container.stdin === true,
      tty: container.tty === true,
      ...(processesOf === undefined ? {} : { processesOf }),
      mounts: await volumes.mountsOf(container, environment),
    })
  }
  const { metadata, spec } = pod
  const identity = {
    pod: metadata.name,
    namespace: metadata.namespace ?? '',
    node: spec.nodeName ?? '',
    container: container.name,
    image: container.image ?? '',
    addresses: network.addresses,
  }
  return StandIn.start(door.host, network.namespace, identity, standInPorts(container))
}

/** A process that does nothing but hold a container's view of the machine, for commands run in a pod without processes. */
export function startSandbox(door: KubeletDoor, pod: Pod, network: PodNetwork): ContainerProcess {
  return new ContainerProcess({
    namespace: network.namespace,
    argv: ['sleep', 'infinity'],
    environment: { PATH: programPath(), HOME: '/root', HOSTNAME: podHostname(pod) },
    hostname: podHostname(pod),
    workingDirectory: '/',
    scratch: join(podDirectory(door, pod), 'sandbox'),
    files: writeFiles(door, pod, network),
    mounts: [],
  })
}

/** The volumes of a pod, not made yet. */
export function openVolumes(door: KubeletDoor, pod: Pod, network: PodNetwork): PodVolumes {
  const sources = environmentSources(door, pod, network)
  return new PodVolumes(pod, {
    client: door.client,
    directory: podDirectory(door, pod),
    claimsDirectory: join(door.podsDirectory, 'claims'),
    field: (now, path) => readField(now, path, sources),
    clusterCa: door.clusterCa,
    trouble: door.trouble,
  })
}

/** The directory of a pod's files. */
export function podDirectory(door: KubeletDoor, pod: Pod): string {
  return join(door.podsDirectory, pod.metadata.uid ?? pod.metadata.name)
}

function environmentSources(door: KubeletDoor, pod: Pod, network: PodNetwork): EnvironmentSources {
  const { namespace } = pod.metadata
  return {
    services: door.services.values(),
    configMap: (name) => door.client.find(ConfigMaps, namespace, name),
    secret: (name) => door.client.find(Secrets, namespace, name),
    podAddresses: network.addresses,
    hostAddresses: network.hostAddresses,
  }
}

function writeFiles(door: KubeletDoor, pod: Pod, { addresses }: PodNetwork): string {
  const files = join(podDirectory(door, pod), 'etc')
  mkdirSync(files, { recursive: true })
  writeFileSync(join(files, 'resolv.conf'), renderResolvConf(pod, door.resolver))
  writeFileSync(join(files, 'hosts'), renderHostsFile(pod, addresses, door.resolver.clusterDomain))
  writeFileSync(join(files, 'hostname'), `${podHostname(pod)}\n`)
  return files
}
