import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Client } from '../client/index.ts'
import type { Container, KubeObject, Pod } from '../objects/index.ts'
import { ContainerConfigError, readField } from './environment.ts'
import { PodVolumes } from './pod-volumes.ts'

const directory = mkdtempSync(join(tmpdir(), 'plumb-volumes-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const objects = new Map<string, KubeObject & Record<string, unknown>>()
const put = (kind: string, name: string, content: object) =>
  objects.set(`${kind}/${name}`, { apiVersion: 'v1', kind, metadata: { name, uid: `uid-${name}` }, ...content })
const watchers: (() => void)[] = []
const client = {
  find: async (resource: { kind: string }, _namespace: string, name: string) => objects.get(`${resource.kind}/${name}`),
  request: async () => ({ status: { token: 'a.b.c' } }),
  informer: () => ({
    onChange: (callback: () => void) => {
      watchers.push(callback)
      return () => undefined
    },
    start: async () => undefined,
    close: () => undefined,
  }),
} as unknown as Client

const sources = {
  client,
  directory,
  claimsDirectory: join(directory, 'claims'),
  field: (pod: Pod, path: string) => readField(pod, path, { podAddresses: [], hostAddresses: [] } as never),
  clusterCa: 'ca',
  trouble: (message: string) => assert.fail(message),
}

function podWith(volumes: object[], labels: Record<string, string> = { app: 'a', tier: 'b "c"' }): Pod {
  const resources = { limits: { cpu: '250m', memory: '64Mi' } }
  const containers = [{ name: 'c', resources } as Container]
  const spec = { containers, volumes } as Pod['spec']
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'n', uid: 'u', labels }, spec }
}

const mounting = (...volumeMounts: object[]) => ({ name: 'c', volumeMounts }) as unknown as Container
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('files of a volume have their paths and modes, change together, and follow their object', async () => {
  put('ConfigMap', 'settings', { data: { colour: 'blue', mode: 'a' } })
  put('Secret', 'key', { data: { pw: Buffer.from('s3cret').toString('base64') } })
  const volumes = new PodVolumes(
    podWith([
      { name: 'settings', configMap: { name: 'settings', defaultMode: 0o640 } },
      { name: 'key', secret: { secretName: 'key', items: [{ key: 'pw', path: 'deep/../deep/pw', mode: 0o400 }] } },
    ]),
    sources,
  )
  await volumes.prepare()
  const [settings, key] = await volumes.mountsOf(
    mounting({ name: 'settings', mountPath: '/s/' }, { name: 'key', mountPath: '/k' }),
    {},
  )
  assert.deepEqual([settings?.target, settings?.readOnly], ['/s', true])
  const shown = join(settings?.source ?? '', 'colour')
  assert.equal(statSync(shown).mode & 0o777, 0o640)
  assert.equal(readFileSync(join(key?.source ?? '', 'deep/pw'), 'utf8'), 's3cret')
  assert.equal(statSync(join(key?.source ?? '', 'deep/pw')).mode & 0o777, 0o400)
  const before = readlinkSync(join(settings?.source ?? '', '..data'))
  put('ConfigMap', 'settings', { data: { colour: 'red' } })
  for (const tell of watchers) tell()
  for (let i = 0; i < 20; i++) await settled()
  assert.equal(readFileSync(shown, 'utf8'), 'red')
  assert.notEqual(readlinkSync(join(settings?.source ?? '', '..data')), before)
  assert.deepEqual(
    readdirSync(settings?.source ?? '').filter((name) => !name.startsWith('..')),
    ['colour'],
  )
  volumes.close()
})

test("the pod's own fields: labels as Go quotes them, resources in units of their divisor", async () => {
  const items = [
    { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
    { path: 'cpu', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu', divisor: '1m' } },
    { path: 'memory', resourceFieldRef: { containerName: 'c', resource: 'limits.memory', divisor: '1Mi' } },
  ]
  const volumes = new PodVolumes(podWith([{ name: 'info', downwardAPI: { items } }]), sources)
  await volumes.prepare()
  const [info] = await volumes.mountsOf(mounting({ name: 'info', mountPath: '/i' }), {})
  const read = (name: string) => readFileSync(join(info?.source ?? '', name), 'utf8')
  assert.deepEqual(['labels', 'cpu', 'memory'].map(read), ['app="a"\ntier="b \\"c\\""', '250', '64'])
  volumes.update(podWith([], { app: 'z' }))
  for (let i = 0; i < 20; i++) await settled()
  assert.equal(read('labels'), 'app="z"')
  volumes.close()
})

test('what a claim holds outlives the pod; a path below a volume may name the pod', async () => {
  put('PersistentVolumeClaim', 'data', {})
  const pod = podWith([{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }])
  const mount = mounting({ name: 'data', mountPath: '/d', subPathExpr: '$(POD)' })
  for (const expected of [[], ['log']]) {
    const volumes = new PodVolumes(pod, sources)
    await volumes.prepare()
    const [data] = await volumes.mountsOf(mount, { POD: 'p' })
    assert.equal(data?.readOnly, false)
    assert.equal(data?.source, join(directory, 'claims/uid-data/p'))
    assert.deepEqual(readdirSync(data?.source ?? ''), expected)
    writeFileSync(join(data?.source ?? '', 'log'), 'x')
    volumes.close()
  }
})

test('the group of the pod reads what is projected, and writes what is not', async () => {
  put('Secret', 'key', { data: { pw: 'cw==' } })
  const pod = podWith([
    { name: 'key', secret: { secretName: 'key', defaultMode: 0o400 } },
    { name: 'tmp', emptyDir: {} },
  ])
  Object.assign(pod.spec, { securityContext: { fsGroup: 1001 } })
  const volumes = new PodVolumes(pod, sources)
  await volumes.prepare()
  const mounts = mounting({ name: 'key', mountPath: '/k' }, { name: 'tmp', mountPath: '/t' })
  const [key, scratch] = await volumes.mountsOf(mounts, {})
  const file = statSync(join(key?.source ?? '', 'pw'))
  assert.deepEqual([file.gid, file.mode & 0o777], [1001, 0o440])
  assert.deepEqual([statSync(scratch?.source ?? '').gid, statSync(scratch?.source ?? '').mode & 0o7777], [1001, 0o2777])
  volumes.close()
})

test('what is missing and not optional is told in the words of kubelet', async () => {
  put('ConfigMap', 'one', { data: { a: '1' } })
  const prepare = (volume: object) => new PodVolumes(podWith([{ name: 'v', ...volume }]), sources).prepare()
  const refused = (volume: object, message: string) =>
    assert.rejects(prepare(volume), new ContainerConfigError(`MountVolume.SetUp failed for volume "v" : ${message}`))
  await refused({ secret: { secretName: 'none' } }, 'secret "none" not found')
  await refused({ persistentVolumeClaim: { claimName: 'none' } }, 'persistentvolumeclaim "none" not found')
  await refused(
    { configMap: { name: 'one', items: [{ key: 'b', path: 'b' }] } },
    'references non-existent config key: b',
  )
  await prepare({ configMap: { name: 'none', optional: true } })
  await prepare({
    projected: { sources: [{ configMap: { name: 'one', optional: true, items: [{ key: 'b', path: 'b' }] } }] },
  })
})
