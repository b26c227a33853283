/** A cluster for this folder's tests: the real API server in memory, controllers over HTTPS, and pretend nodes whose pods become ready at once. */
import { join } from 'node:path'
import {
  createAuthority,
  issueApiServerCertificate,
  issueCertificate,
  type KeyPair,
  startApiServer,
} from '../apiserver/index.ts'
import { type Client, connect } from '../client/index.ts'
import { type Node, Nodes, type Pod, Pods } from '../objects/index.ts'
import { type Controllers, type ControllersOptions, startControllers } from './index.ts'

export interface Cluster {
  readonly client: Client
  readonly troubles: string[]
  /** Another client, with its own connections. */
  connect(): Client
  stopControllers(): Promise<void>
  close(): Promise<void>
}

let certificates: Promise<{ authority: KeyPair; server: KeyPair; admin: KeyPair }> | undefined

async function makeCertificates() {
  const authority = await createAuthority('plumb-test-ca')
  const server = await issueApiServerCertificate(authority, { addresses: [], clusterDomain: 'cluster.local' })
  const admin = await issueCertificate(authority, {
    commonName: 'admin',
    organizations: ['system:masters'],
    usages: ['client'],
  })
  return { authority, server, admin }
}

/** Starts a cluster with the given controllers and `nodes` pretend nodes. */
export async function startCluster(options: ControllersOptions, nodes = 0): Promise<Cluster> {
  certificates ??= makeCertificates()
  const { authority, server: pair, admin } = await certificates
  const server = await startApiServer({
    dataDir: ':memory:',
    listeners: [{ host: '127.0.0.1', port: 0 }],
    tls: { ...pair, clientCa: authority.cert },
    serviceCidrs: ['10.96.0.0/16'],
    definitions: ['plumb', 'gateway-api'].map((folder) => join(import.meta.dirname, '../../crds', folder)),
  })
  const clients: Client[] = []
  const open = () => {
    const url = `https://127.0.0.1:${server.addresses[0]?.port}`
    const client = connect({ server: url, ca: authority.cert, cert: admin.cert, key: admin.key, userAgent: 'test' })
    clients.push(client)
    return client
  }
  const client = open()
  const troubles: string[] = []
  const closers: (() => Promise<void> | void)[] = []
  for (let i = 1; i <= nodes; i++) await client.create<Node>(Nodes, readyNode(`node-${i}`))
  if (nodes > 0) closers.push(startPretendKubelets(open()))
  const controllers: Controllers = await startControllers({
    client: open(),
    options: { ...options, onTrouble: (message) => troubles.push(message) },
  })
  return {
    client,
    troubles,
    connect: open,
    stopControllers: () => controllers.close(),
    async close() {
      await controllers.close()
      for (const close of closers) await close()
      for (const one of clients) one.close()
      await server.close()
    },
  }
}

/** A node that says that it is ready. */
export function readyNode(name: string, labels: Record<string, string> = {}): Node {
  const address = `172.30.0.${10 + Number(name.split('-')[1] ?? 1)}`
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    status: {
      addresses: [{ type: 'InternalIP', address }],
      allocatable: { pods: '1000' },
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
    },
  }
}

/** Marks bound pods Ready and removes deleted ones, as kubelets with instant containers would. Returns the way to stop. */
function startPretendKubelets(client: Client): () => void {
  const informer = client.informer<Pod>(Pods)
  const addresses = new Map<string, string>()
  informer.onChange((_, pod) => {
    if (pod === undefined || !pod.spec.nodeName || pod.metadata.annotations?.['test/kubelet'] === 'off') return
    const { namespace, name, uid = '', deletionTimestamp } = pod.metadata
    if (deletionTimestamp !== undefined)
      return void client
        .delete(Pods, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } })
        .catch(() => {})
    if (pod.status?.podIP !== undefined) return
    const n = addresses.size + 1
    const podIP = addresses.get(uid) ?? `10.244.${n >> 8}.${n & 255}`
    addresses.set(uid, podIP)
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const conditions = [
      ...(pod.status?.conditions ?? []).filter(({ type }) => type !== 'Ready'),
      { type: 'Ready', status: 'True', lastTransitionTime: time },
    ]
    const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions, startTime: time }
    client.patch(Pods, namespace, name, 'merge', { status }, { subresource: 'status' }).catch(() => {})
  })
  informer.start().catch(() => {})
  return () => informer.close()
}

/** Asks until the answer is true; 60 s at most. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within 60 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
