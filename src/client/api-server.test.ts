import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createAuthority, issueApiServerCertificate, issueCertificate, startApiServer } from '../apiserver/index.ts'
import { type ConfigMap, ConfigMaps, Deployments, type KubeObject, Services } from '../objects/index.ts'
import { ApiError, applyManifests, type Client, connect, parseManifests } from './index.ts'

const namespace = 'default'

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within 20 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }
}

describe('against the embedded API server, over HTTPS', () => {
  let client: Client
  /** Connects to the API server, or to what leads there. */
  let open: (port?: number) => Client
  let port: number
  const closers: (() => Promise<void> | void)[] = []
  before(async () => {
    const authority = await createAuthority('plumb-test-ca')
    const server = await issueApiServerCertificate(authority, { addresses: [], clusterDomain: 'cluster.local' })
    const admin = await issueCertificate(authority, {
      commonName: 'admin',
      organizations: ['system:masters'],
      usages: ['client'],
    })
    const api = await startApiServer({
      dataDir: ':memory:',
      listeners: [{ host: '127.0.0.1', port: 0 }],
      tls: { ...server, clientCa: authority.cert },
      serviceCidrs: ['10.96.0.0/16'],
    })
    closers.push(() => api.close())
    port = api.addresses[0]!.port
    open = (to = port) => {
      const server = `https://127.0.0.1:${to}`
      const opened = connect({ server, ca: authority.cert, cert: admin.cert, key: admin.key, userAgent: 'test' })
      closers.unshift(() => opened.close())
      return opened
    }
    client = open()
  })
  after(async () => {
    for (const close of closers) await close()
  })

  test('refusals are ApiErrors with the whole Status', async () => {
    await client.create(ConfigMaps, configMap('a'))
    const refused = (call: Promise<unknown>) =>
      call.then(
        () => assert.fail('it was allowed'),
        (error) => error as ApiError,
      )
    const exists = await refused(client.create(ConfigMaps, configMap('a')))
    assert.ok(exists instanceof ApiError)
    assert.deepEqual(
      [exists.code, exists.reason, exists.message],
      [409, 'AlreadyExists', 'configmaps "a" already exists'],
    )
    assert.equal((await refused(client.get(ConfigMaps, namespace, 'missing'))).reason, 'NotFound')
    assert.equal(await client.find(ConfigMaps, namespace, 'missing'), undefined)
    const stale = await client.get<ConfigMap>(ConfigMaps, namespace, 'a')
    await client.update(ConfigMaps, { ...stale, data: { x: '1' } })
    assert.equal((await refused(client.update(ConfigMaps, { ...stale, data: { x: '2' } }))).reason, 'Conflict')
    await client.delete(ConfigMaps, namespace, 'a')
  })

  test('churn while connections are cut: every change is told once and in order', async () => {
    const sockets = new Set<Socket>()
    const relay = createServer((socket) => {
      const onward = connectTcp(port, '127.0.0.1')
      for (const [one, other] of [
        [socket, onward],
        [onward, socket],
      ] as const)
        one
          .on('error', () => undefined)
          .on('close', () => other.destroy())
          .pipe(other)
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }).listen(0, '127.0.0.1')
    closers.push(() => void relay.close())
    await once(relay, 'listening')
    const cut = open((relay.address() as AddressInfo).port)
    const informer = cut.informer<ConfigMap>(ConfigMaps, { namespace, labelSelector: 'churn=yes' })
    const told = new Map<string, ConfigMap>()
    let changes = 0
    informer.onChange((old, current, key) => {
      changes++
      assert.equal(told.get(key), old, `${key}: the old object is the one told before`)
      if (old && current) {
        assert.equal(old.metadata.uid, current.metadata.uid)
        assert.ok(Number(current.metadata.resourceVersion) > Number(old.metadata.resourceVersion), `${key}: went back`)
      }
      if (current) told.set(key, current)
      else told.delete(key)
    })
    await informer.start()
    let cuts = 0
    const writer = async (n: number) => {
      for (let round = 0; round < 150; round++) {
        const name = `c${n}-${(round * 7) % 10}`
        const live = await client.find<ConfigMap>(ConfigMaps, namespace, name)
        const labels = { churn: (round + n) % 5 === 0 ? 'no' : 'yes' }
        const wanted = { ...configMap(name, { round: String(round) }), metadata: { name, namespace, labels } }
        if (live === undefined) await client.create(ConfigMaps, wanted)
        else if (round % 3 === 0) await client.delete(ConfigMaps, namespace, name)
        else await client.patch(ConfigMaps, namespace, name, 'merge', wanted)
        if (round % 25 === 24) {
          for (const socket of sockets) socket.destroy()
          cuts++
        }
      }
    }
    await Promise.all([0, 1, 2].map(writer))
    const { items } = await client.list<ConfigMap>(ConfigMaps, { namespace, labelSelector: 'churn=yes' })
    const want = items
      .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)
      .sort()
      .join()
    const have = () =>
      [...told.values()]
        .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)
        .sort()
        .join()
    await until('caught up', () => have() === want)
    assert.equal(cuts, 18)
    assert.ok(changes > 50)
  })

  test('applies manifests of every order, then finds them unchanged, then changes and removes fields', async () => {
    const text = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}], env: [{name: A, value: "1"}, {name: B, value: "2"}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {tier: front}}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: example.com/v1
kind: Gadget
metadata: {name: g}
---
apiVersion: v1
kind: Service
metadata: {name: Bad_Name}
spec: {ports: [{port: 80}]}
`
    const apply = async (source: string) => {
      const { manifests, problems } = parseManifests(source, 'shop.yaml')
      assert.deepEqual(problems, [])
      return applyManifests(client, manifests)
    }
    const outcomes = (results: Awaited<ReturnType<typeof apply>>) =>
      results.map(({ manifest, outcome }) => `${manifest.object.kind} ${outcome}`)
    const first = await apply(text)
    const rest = ['Gadget unknown-kind', 'Service failed']
    const kinds = ['Deployment', 'Service', 'Namespace']
    assert.deepEqual(outcomes(first), [...kinds.map((kind) => `${kind} created`), ...rest])
    assert.match(
      first.at(-2)?.message ?? '',
      /^shop.yaml, document 4, line \d+: Gadget "g": no matches for kind "Gadget" in version "example.com\/v1"/,
    )
    assert.match(
      first.at(-1)?.message ?? '',
      /^shop.yaml, document 5, line \d+: Service "Bad_Name": Service "Bad_Name" is invalid: metadata.name/,
    )
    assert.deepEqual(outcomes(await apply(text)), [...kinds.map((kind) => `${kind} unchanged`), ...rest])

    const before = await client.get<KubeObject & { spec: { ports: { nodePort: number }[]; clusterIP: string } }>(
      Services,
      'shop',
      'web',
    )
    const changed = text
      .replace(', labels: {tier: front}', '')
      .replace('{name: A, value: "1"}, ', '')
      .replace(
        'ports: [{port: 80}]}\n---\napiVersion: v1\nkind: Namespace',
        'ports: [{port: 80, targetPort: 8080}]}\n---\napiVersion: v1\nkind: Namespace',
      )
    assert.deepEqual(outcomes(await apply(changed)), [
      'Deployment configured',
      'Service configured',
      'Namespace unchanged',
      ...rest,
    ])
    const after = await client.get<typeof before>(Services, 'shop', 'web')
    assert.equal(after.metadata.labels?.tier, undefined)
    assert.deepEqual(after.spec.ports, [{ ...before.spec.ports[0], targetPort: 8080 }])
    assert.equal(after.spec.clusterIP, before.spec.clusterIP)
    const deployment = await client.get<
      KubeObject & { spec: { template: { spec: { containers: { env: object[] }[] } } } }
    >(Deployments, 'shop', 'web')
    assert.deepEqual(deployment.spec.template.spec.containers[0]?.env, [{ name: 'B', value: '2' }])
  })
})
