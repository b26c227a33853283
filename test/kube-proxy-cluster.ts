// A cluster of other people's parts: an API server with controllers, nodes that are namespaces with static routes, pods on links
// of their own, and on the nodes whatever rules a test puts there. No agent of Plumb's runs.
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parse } from 'yaml'
import { type Address, parseAddress, parsePrefix } from '../src/addr/index.ts'
import {
  type ApiServer,
  createAuthority,
  issueApiServerCertificate,
  issueCertificate,
  type KeyPair,
  renderKubeconfig,
  startApiServer,
} from '../src/apiserver/index.ts'
import { type Client, connect } from '../src/client/index.ts'
import { type Controllers, startControllers } from '../src/controllers/index.ts'
import { type Namespace, openHost, spawnIn } from '../src/host/index.ts'
import type { EndpointSlice } from '../src/objects/index.ts'

const host = openHost()
const main = join(import.meta.dirname, '../src/cli/start.js')
const anywhere = parsePrefix('0.0.0.0/0')
/** On the nodes' segment, as where addresses are announced by ARP. */
const externalAddresses = parsePrefix('203.0.113.0/24')

/** A machine or a pod. */
interface Place {
  readonly namespace: Namespace
  readonly address: Address
}

/** What a command said. */
export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `node-1` with pods `client` and `web-a`, `node-2` with `web-b` and `local-b`, a client `outside`, all on one segment 172.31.0.0/24. */
export class KubeProxyCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'plumb-kube-proxy-'))
  readonly kubeconfig = join(this.folder, 'kubeconfig')
  readonly places = new Map<string, Place>()
  client!: Client
  /** A kubeconfig of a user without any right. */
  kubeconfigOf!: (user: string) => Promise<string>
  #programs: string | undefined
  #server: ApiServer | undefined
  #controllers: Controllers | undefined
  readonly #servers: Server[] = []
  readonly #children = new Set<ChildProcess>()
  readonly #open: Namespace[] = []
  readonly #switch = this.#namespace()

  async start(): Promise<void> {
    this.#switch.network.addBridge('br0')
    this.#switch.network.setLink('br0', { up: true })
    for (const [name, last] of [
      ['control', 2],
      ['outside', 10],
      ['node-1', 11],
      ['node-2', 12],
    ] as const)
      this.#plug(name, parseAddress(`172.31.0.${last}`))
    // A second link between the nodes, for ways that differ by direction.
    for (const [name, last] of [
      ['node-1', 11],
      ['node-2', 12],
    ] as const) {
      const { namespace } = this.place(name)
      this.#switch.network.addVeth({ name: `${name}-b`, peerName: 'eth1', peerNamespace: namespace })
      this.#switch.network.setLink(`${name}-b`, { master: 'br0', up: true })
      namespace.network.setLink('eth1', { up: true })
      namespace.network.addAddress('eth1', parseAddress(`172.31.1.${last}`), 24)
    }
    for (const [name, node, number] of [
      ['client', 1, 10],
      ['web-a', 1, 11],
      ['web-b', 2, 11],
      ['local-b', 2, 12],
    ] as const)
      this.#addPod(name, node, number)
    for (const [node, other] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const { network } = this.place(`node-${node}`).namespace
      network.setSysctl('net.ipv4.ip_forward', 1)
      // Six refusals to one client and then one a second: tests ask faster.
      network.setSysctl('net.ipv4.icmp_ratelimit', 0)
      const gateway = this.place(`node-${other}`).address
      network.setRoute({ destination: parsePrefix(`10.244.${other}.0/24`), gateway, link: 'eth0' })
      network.setRoute({ destination: anywhere, gateway: this.place('outside').address, link: 'eth0' })
      network.setRoute({ destination: externalAddresses, link: 'eth0' })
    }
    // What is no node's own address is asked of the first node, as an upstream router would.
    const { network } = this.place('outside').namespace
    network.setRoute({ destination: anywhere, gateway: this.place('node-1').address, link: 'eth0' })
    await this.#startControl()
  }

  place(name: string): Place {
    const found = this.places.get(name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  /** Programs of this folder come before those of the machine. */
  preferPrograms(folder: string): void {
    this.#programs = folder
  }

  #env(): NodeJS.ProcessEnv {
    const path = [...(this.#programs === undefined ? [] : [this.#programs]), process.env.PATH].join(':')
    return { ...process.env, PATH: path, KUBECONFIG: this.kubeconfig, PLUMB_LAB: 'none', NO_COLOR: '1' }
  }

  /** Starts a process that goes on until it is stopped or the cluster closes. */
  keep(machine: string, command: string, words: readonly string[]): ChildProcess {
    const child = spawnIn(this.place(machine).namespace, command, words, { stdio: 'ignore', env: this.#env() })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** Runs `plumb …` on a machine. */
  plumb(machine: string, ...words: readonly string[]): Promise<Said> {
    return this.run(machine, process.execPath, [main, ...words])
  }

  /** Runs any command on a machine, with its standard input. */
  run(machine: string, command: string, words: readonly string[], input = ''): Promise<Said> {
    const options = { env: this.#env(), stdio: 'pipe' as const }
    const child = spawnIn(this.place(machine).namespace, command, words, options)
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (data: Buffer) => {
      stdout += data.toString()
    })
    child.stderr?.on('data', (data: Buffer) => {
      stderr += data.toString()
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
    })
  }

  /** Runs a command that must succeed. */
  async must(machine: string, command: string, words: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.run(machine, command, words, input)
    if (code !== 0) throw new Error(`${machine}: ${command} ${words.join(' ')}: ${stderr || stdout}`)
    return stdout
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
    }
    await this.#controllers?.close()
    this.client?.close()
    await this.#server?.close()
    for (const namespace of this.#open) namespace.close()
    rmSync(this.folder, { recursive: true })
  }

  #namespace(): Namespace {
    const namespace = host.createNamespace()
    this.#open.push(namespace)
    namespace.network.setLink('lo', { up: true })
    namespace.network.setSysctl('net.ipv6.conf.all.disable_ipv6', 1)
    // Machines with two links to the segment answer ARP by the one alone that has the address.
    namespace.network.setSysctl('net.ipv4.conf.all.arp_ignore', 1)
    return namespace
  }

  #plug(name: string, address: Address): void {
    const namespace = this.#namespace()
    this.#switch.network.addVeth({ name, peerName: 'eth0', peerNamespace: namespace })
    this.#switch.network.setLink(name, { master: 'br0', up: true })
    namespace.network.setLink('eth0', { up: true })
    namespace.network.addAddress('eth0', address, 24)
    this.places.set(name, { namespace, address })
  }

  #addPod(name: string, node: number, number: number): void {
    const namespace = this.#namespace()
    const { network } = this.place(`node-${node}`).namespace
    const address = parseAddress(`10.244.${node}.${number}`)
    const gateway = parseAddress(`10.244.${node}.1`)
    network.addVeth({ name, peerName: 'eth0', peerNamespace: namespace })
    network.setLink(name, { up: true })
    network.addAddress(name, gateway, 32)
    network.setRoute({ destination: parsePrefix(`${address}/32`), link: name })
    namespace.network.setLink('eth0', { up: true })
    namespace.network.addAddress('eth0', address, 32)
    namespace.network.setRoute({ destination: parsePrefix(`${gateway}/32`), link: 'eth0', scope: 'link' })
    namespace.network.setRoute({ destination: anywhere, gateway, link: 'eth0' })
    this.places.set(name, { namespace, address })
    // As a container engine's pause process does, it shows the namespace to those who look for the pod.
    this.keep(name, 'sleep', ['infinity'])
    if (name === 'client') return
    const server = createServer((request, response) => response.end(`${name} ${request.socket.remoteAddress}\n`))
    server.listen({ fd: host.listenTcp(namespace, parseAddress('0.0.0.0'), 8080).fd })
    this.#servers.push(server)
  }

  async #startControl(): Promise<void> {
    const { namespace, address } = this.place('control')
    const inside = host.listenTcp(namespace, address, 6443)
    const loopback = host.listenTcp(host.own, parseAddress('127.0.0.1'), 0)
    const authority = await createAuthority('test')
    const [serving, admin] = await Promise.all([
      issueApiServerCertificate(authority, { addresses: [address], clusterDomain: 'cluster.local' }),
      issueCertificate(authority, { commonName: 'admin', organizations: ['system:masters'], usages: ['client'] }),
    ])
    this.#server = await startApiServer({
      dataDir: ':memory:',
      listeners: [{ fd: inside.fd }, { fd: loopback.fd }],
      tls: { ...serving, clientCa: authority.cert },
      serviceCidrs: ['10.96.0.0/16'],
      advertise: { addresses: [address], port: 6443 },
    })
    const write = (path: string, server: string, client: KeyPair): void =>
      writeFileSync(path, renderKubeconfig({ server, clusterCa: authority.cert, client, name: 'test' }))
    write(this.kubeconfig, `https://${address}:6443`, admin)
    const own = join(this.folder, 'own')
    write(own, `https://127.0.0.1:${loopback.port}`, admin)
    this.kubeconfigOf = async (user) => {
      const path = join(this.folder, user)
      write(
        path,
        `https://${address}:6443`,
        await issueCertificate(authority, { commonName: user, usages: ['client'] }),
      )
      return path
    }
    this.client = connect({ kubeconfig: own, userAgent: 'test' })
    for (const object of objects(this)) await this.put(object)
    this.#controllers = await startControllers({
      client: this.client,
      options: { controllers: ['endpointslice-controller'], leaderElect: false, clusterPrefixes: [] },
    })
  }

  /** Makes a ClusterRole (YAML) and gives it to a user. */
  async grant(role: string, user: string): Promise<void> {
    const object = parse(role) as { metadata: { name: string } }
    const path = '/apis/rbac.authorization.k8s.io/v1'
    await this.client.request('POST', `${path}/clusterroles`, object)
    await this.client.request('POST', `${path}/clusterrolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: user },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: object.metadata.name },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    })
  }

  /** Resolves when the slices of a Service of `shop` list these addresses. */
  async endpoints(service: string, wanted: readonly string[]): Promise<void> {
    const path = `/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?labelSelector=kubernetes.io/service-name=${service}`
    for (;;) {
      const { items } = await this.client.request<{ items: EndpointSlice[] }>('GET', path)
      const found = items.flatMap(({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses))
      if (found.sort().join() === [...wanted].sort().join()) return
      await pause(50)
    }
  }

  /** Creates an object with its status. */
  async put(object: Readonly<Record<string, unknown>>): Promise<void> {
    const { kind, metadata } = object as { kind: string; metadata: { name: string; namespace?: string } }
    const plural = `${kind.toLowerCase()}s`
    const path = `/api/v1${metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`}/${plural}`
    await this.client.request('POST', path, object)
    if (object.status === undefined) return
    await this.client.request(
      'PATCH',
      `${path}/${metadata.name}/status`,
      { status: object.status },
      {
        'content-type': 'application/merge-patch+json',
      },
    )
  }
}

function objects(cluster: KubeProxyCluster): Readonly<Record<string, unknown>>[] {
  const node = (name: string, podCIDR: string) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: {
      addresses: [{ type: 'InternalIP', address: cluster.place(name).address }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  })
  const pod = (name: string, nodeName: string, app: string) => {
    const ip = cluster.place(name).address
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'shop', labels: { app } },
      spec: {
        nodeName,
        containers: [
          { name: 'main', image: app, ports: app === 'client' ? [] : [{ name: 'http', containerPort: 8080 }] },
        ],
      },
      status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
    }
  }
  const service = (name: string, clusterIP: string, spec: object, status?: object) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: { clusterIP, selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
    ...(status === undefined ? {} : { status }),
  })
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    node('node-1', '10.244.1.0/24'),
    node('node-2', '10.244.2.0/24'),
    pod('client', 'node-1', 'client'),
    pod('web-a', 'node-1', 'web'),
    pod('web-b', 'node-2', 'web'),
    pod('local-b', 'node-2', 'local'),
    service('web', '10.96.0.50', {
      type: 'NodePort',
      ports: [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }],
    }),
    service(
      'local',
      '10.96.0.60',
      {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        selector: { app: 'local' },
        healthCheckNodePort: 30999,
        ports: [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30081 }],
        loadBalancerSourceRanges: ['172.31.0.0/24'],
      },
      { loadBalancer: { ingress: [{ ip: '203.0.113.80' }] } },
    ),
    service('sticky', '10.96.0.70', { sessionAffinity: 'ClientIP' }),
    service('empty', '10.96.0.80', { selector: { app: 'nobody' } }),
    service('dns', '10.96.0.53', { ports: [{ name: 'dns', port: 53, targetPort: 5353, protocol: 'UDP' }] }),
  ]
}
