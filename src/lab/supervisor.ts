import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type KeyPair, restoreFolder } from '../apiserver/index.ts'
import { type Client, connect } from '../client/index.ts'
import { setCertificateSource } from '../containers/index.ts'
import { type Host, HostError, openHost } from '../host/index.ts'
import { Kubelet, type KubeletDoor, serveKubelet } from '../kubelet/index.ts'
import { type Node, Nodes, type Service, Services } from '../objects/index.ts'
import { supervisorUser } from './access.ts'
import { createAddons, dnsImage } from './addons.ts'
import type { LabConfig } from './config.ts'
import { agentSocket, apiFolder, type Processes, startProcesses } from './control-plane.ts'
import { routeToPods } from './control-routes.ts'
import { serveControl } from './control-server.ts'
import { type Credentials, createCredentials, issueClient, issueKubelet, issueStandIn } from './credentials.ts'
import { dnsBuiltin } from './dns-builtin.ts'
import type { ExecTarget } from './exec-place.ts'
import { findExecPlace } from './exec-place.ts'
import type { LabState } from './lab-state.ts'
import { type Lifeline, openLifeline } from './lifeline.ts'
import { serveOutside } from './outside-server.ts'
import { buildRack, type Rack } from './rack.ts'
import { tailOf } from './run-directory.ts'

// A role that ends this often before the lab is up will not come up.
const maximumStartFailures = 2
const apiTimeoutMs = 30_000
// Each node has a client of its own, as a kubelet has; together they are not to keep hundreds of connections.
const maxConnections = 8

/** Opens a client of the API server that is who the certificate says. */
type Open = (pair: KeyPair, userAgent: string) => Client

/** The lab's own process: builds the rack, keeps the other processes running, and is the kubelet of every node. Ends when told to. */
export async function runSupervisor(run: string): Promise<void> {
  const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')) as LabConfig
  const lifeline = openLifeline(() => process.exit(0))
  // PID 1 waits for this process and ends the lab with it.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
  const lab = new Supervisor(config, lifeline)
  try {
    await lab.start()
    lifeline.tell({ kind: 'ready' })
  } catch (error) {
    await lab.fail(error instanceof Error ? error : new Error(String(error)))
  }
}

/** A failure with the log that explains it. */
class RoleFailure extends Error {
  readonly log: string
  constructor(message: string, log: string) {
    super(message)
    this.log = log
  }
}

class Supervisor {
  readonly #config: LabConfig
  readonly #lifeline: Lifeline
  readonly #host: Host = openHost()
  readonly #kubelets = new Map<string, Kubelet>()
  #processes: Processes | undefined
  #rack: Rack | undefined
  #ready = false
  #onStartFailure: (error: Error) => void = () => undefined

  constructor(config: LabConfig, lifeline: Lifeline) {
    this.#config = config
    this.#lifeline = lifeline
  }

  async start(): Promise<void> {
    const config = this.#config
    const { network } = config
    const failed = new Promise<never>((_, reject) => {
      this.#onStartFailure = reject
    })
    failed.catch(() => undefined)
    const rack = buildRack(this.#host, network, config.nodes, config.segments)
    this.#rack = rack
    serveOutside(this.#host, rack.outside)
    this.#lifeline.progress(`${config.nodes} nodes, router and outside client wired`)
    const credentials = await createCredentials(network, rack.control.addresses)
    if (config.restore !== undefined) {
      const { objects } = await restoreFolder(config.restore, apiFolder(config))
      this.#lifeline.progress(`${objects} objects restored from ${config.restore}`)
    }
    this.#processes = await startProcesses(this.#host, config, rack, credentials, (role, reason) =>
      this.#roleEnded(role, reason),
    )
    const { kubeconfig, server } = this.#processes
    this.#lifeline.progress('API server, controllers and agents started')
    const podsDirectory = mountPods(config)
    await serveControl(join(config.path, 'control.sock'), this.#routes())
    const open: Open = ({ cert, key }, userAgent) =>
      connect({ server, ca: credentials.authority.cert, cert, key, userAgent, onTrouble: say, maxConnections })
    await Promise.race([failed, this.#bringUp(open, rack, credentials, podsDirectory)])
    this.#lifeline.tell({ kind: 'api', kubeconfig })
    this.#ready = true
  }

  /** Tells the starter what went wrong, with the end of the log that says why, and ends the lab. */
  async fail(error: Error): Promise<never> {
    const log = error instanceof RoleFailure ? error.log : undefined
    // A refusal of the host says all in one sentence.
    const own = error instanceof HostError ? [] : [error.stack ?? '']
    const tail = log === undefined ? own : await tailOf(log, 15)
    say(error.stack ?? error.message)
    this.#lifeline.tell({ kind: 'failed', reason: error.message, tail, ...(log === undefined ? {} : { log }) })
    // Time for the message to leave; the starter closes the channel when it has it.
    await pause(200)
    process.exit(1)
  }

  async #bringUp(open: Open, rack: Rack, credentials: Credentials, podsDirectory: string): Promise<void> {
    const [own, ...kubelets] = await Promise.all([
      issueClient(credentials, supervisorUser),
      ...rack.nodes.map(({ name, addresses }) => issueKubelet(credentials, name, addresses)),
    ])
    const client = open(own, 'plumb-lab')
    await untilServing(client)
    this.#lifeline.progress('API server answers')
    const services = client.informer<Service>(Services)
    const nodes = client.informer<Node>(Nodes)
    const shared = this.#door(client, services, credentials, podsDirectory)
    setCertificateSource(() => issueStandIn(credentials))
    for (const [i, machine] of rack.nodes.entries()) {
      const pair = kubelets[i]!
      const door = { ...shared, client: open(pair, 'plumb-kubelet') }
      const kubelet = new Kubelet(door, machine, i + 1, agentSocket(this.#config, machine.name))
      this.#kubelets.set(machine.name, kubelet)
      serveKubelet(this.#host, kubelet, async () => ({ ...pair, clientCa: credentials.authority.cert }))
    }
    const operator = open(credentials.admin, 'plumb-lab')
    routeToPods(rack.control.namespace, nodes)
    await Promise.all([
      ...[...this.#kubelets.values()].map((kubelet) => kubelet.register()),
      ...[...this.#kubelets.values()].map((kubelet) => kubelet.follow()),
      services.start(),
      nodes.start(),
      createAddons(operator, this.#config.network),
    ])
    operator.close()
    this.#lifeline.progress('nodes registered')
  }

  #door(
    client: Client,
    services: KubeletDoor['services'],
    credentials: Credentials,
    podsDirectory: string,
  ): Omit<KubeletDoor, 'client'> {
    const { dnsAddresses, clusterDomain } = this.#config.network
    const own = readFileSync('/etc/resolv.conf', 'utf8')
    return {
      host: this.#host,
      services,
      resolver: { clusterAddresses: dnsAddresses, clusterDomain, own },
      podsDirectory,
      clusterCa: credentials.authority.cert,
      images: this.#config.images,
      builtins: new Map([[dnsImage, dnsBuiltin(this.#host, client, this.#config.network)]]),
      trouble: say,
    }
  }

  #routes() {
    return {
      state: () => this.#state(),
      exec: (body: unknown) => findExecPlace(body as ExecTarget, this.#rack!, this.#kubelets),
      shutdown: () => {
        setImmediate(() => process.exit(0))
        return {}
      },
    }
  }

  #state(): LabState {
    const { name } = this.#config
    return {
      name,
      kubeconfig: this.#processes?.kubeconfig ?? '',
      ready: this.#ready,
      nodes: (this.#rack?.nodes ?? []).map(({ name: node, addresses }) => ({ name: node, addresses })),
      outside: this.#rack?.outside.addresses ?? [],
      processes: (this.#processes?.roles ?? []).map((role) => ({
        name: role.name,
        ...(role.pid === undefined ? {} : { pid: role.pid }),
        restarts: role.restarts,
        log: role.logPath,
      })),
    }
  }

  #roleEnded(name: string, reason: string): void {
    say(`${name} ended: ${reason}`)
    const role = this.#processes?.roles.find((one) => one.name === name)
    if (this.#ready || role === undefined || role.restarts < maximumStartFailures) return
    this.#onStartFailure(new RoleFailure(`${name} does not start: ${reason}`, role.logPath))
  }
}

/** A tmpfs that only the lab's mount namespace has: pods' files end with the lab. */
function mountPods(config: LabConfig): string {
  const path = join(config.path, 'pods')
  mkdirSync(path, { recursive: true })
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'plumb-pods', path], { encoding: 'utf8' })
  if (mount.status !== 0) throw new Error(`mount tmpfs on ${path}: ${mount.stderr || mount.error?.message}`)
  return path
}

async function untilServing(client: Client): Promise<void> {
  const end = Date.now() + apiTimeoutMs
  for (;;) {
    try {
      await client.request('GET', '/readyz')
      return
    } catch (error) {
      if (Date.now() > end) throw error
      await pause(20)
    }
  }
}

function say(message: string): void {
  process.stderr.write(`${new Date().toISOString()} ${message}\n`)
}
