import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Container, Pod, Service } from '../objects/index.ts'
import { findPort, findProgram, standInPorts } from './container-command.ts'
import { buildEnvironment, ContainerConfigError, expandReferences } from './environment.ts'

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u', labels: { app: 'web' } },
  spec: { nodeName: 'node-1', containers: [] },
}

function service(namespace: string, name: string, clusterIP: string, ports: Service['spec']['ports']): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { clusterIP, ...(ports && { ports }) },
  }
}

const sources = {
  services: [
    service('default', 'kubernetes', '10.96.0.1', [{ name: 'https', port: 443 }]),
    service('shop', 'redis-cart', '10.96.0.9', [{ port: 6379 }]),
    service('shop', 'headless', 'None', [{ port: 1 }]),
    service('other', 'far', '10.96.0.8', [{ port: 1 }]),
  ],
  configMap: async (name: string) =>
    name === 'settings'
      ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { COLOUR: 'blue', MODE: 'a' } }
      : undefined,
  secret: async (name: string) =>
    name === 'key' ? { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: { KEY: 'c2VjcmV0' } } : undefined,
  podAddresses: ['10.244.1.2', 'fd00::2'],
  hostAddresses: ['172.30.0.11'],
}

const build = (container: Partial<Container>) => buildEnvironment(pod, { name: 'c', ...container }, sources)

test('Services of the namespace and the API itself are announced', async () => {
  const environment = await build({})
  assert.equal(environment.KUBERNETES_SERVICE_HOST, '10.96.0.1')
  assert.equal(environment.KUBERNETES_SERVICE_PORT_HTTPS, '443')
  assert.equal(environment.REDIS_CART_SERVICE_HOST, '10.96.0.9')
  assert.equal(environment.REDIS_CART_PORT_6379_TCP, 'tcp://10.96.0.9:6379')
  assert.equal(environment.FAR_SERVICE_HOST, undefined)
  assert.equal(environment.HEADLESS_SERVICE_HOST, undefined)
})

test('env beats envFrom, references expand in order, fields and keys are read', async () => {
  const environment = await build({
    envFrom: [{ prefix: 'S_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'key' } }],
    env: [
      { name: 'S_MODE', value: 'b' },
      { name: 'URL', value: 'http://$(REDIS_CART_SERVICE_HOST)/$(S_COLOUR)/$$(X)/$(NONE)' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOUR' } } },
      { name: 'ABSENT', valueFrom: { secretKeyRef: { name: 'none', key: 'k', optional: true } } },
    ],
  })
  assert.equal(environment.S_MODE, 'b')
  assert.equal(environment.KEY, 'secret')
  assert.equal(environment.URL, 'http://10.96.0.9/blue/$(X)/$(NONE)')
  assert.equal(environment.IP, '10.244.1.2')
  assert.equal(environment.APP, 'web')
  assert.equal(environment.COLOUR, 'blue')
  assert(!('ABSENT' in environment))
})

test('a reference to nothing is a configuration error in the words of the API', async () => {
  await assert.rejects(
    build({ envFrom: [{ configMapRef: { name: 'none' } }] }),
    new ContainerConfigError('configmap "none" not found'),
  )
  const missingKey = { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'key', key: 'nope' } } }] }
  await assert.rejects(build(missingKey), /couldn't find key nope in Secret shop\/key/)
})

test('expansion leaves unknown names and nested parentheses alone', () => {
  assert.equal(expandReferences('$(A)$(B)', { A: '1' }), '1$(B)')
  assert.equal(expandReferences('$$(A) $A', { A: '1' }), '$(A) $A')
})

test('a command that exists here is a program, anything else is stood in for', () => {
  const path = '/usr/bin:/bin'
  assert.deepEqual(findProgram({ name: 'c', command: ['sh', '-c'], args: ['echo $(X)'] }, { X: '1' }, path), [
    'sh',
    '-c',
    'echo 1',
  ])
  assert.equal(findProgram({ name: 'c', command: ['/no/such/program'] }, {}, path), undefined)
  assert.equal(findProgram({ name: 'c', args: ['--flag'] }, {}, path), undefined)
  assert.deepEqual(findProgram({ name: 'c', command: ['exit', '3'] }, {}, path)?.slice(-2), ['exit', '3'])
})

test('an image that is a program of this machine runs it, unless the container has a command', () => {
  const images = [{ pattern: 'registry.k8s.io/*/echo*', program: '/bin/cat' }]
  const run = (image: string, more: object = {}) => findProgram({ name: 'c', image, ...more }, {}, '/bin', images)
  assert.deepEqual(run('registry.k8s.io/gateway-api/echo-basic:v1', { args: ['-n'] }), ['/bin/cat', '-n'])
  assert.deepEqual(run('registry.k8s.io/a/echo'), ['/bin/cat'])
  assert.equal(run('registry.k8s.io/echo'), undefined)
  assert.equal(run('other/registry.k8s.io/a/echo'), undefined)
  assert.deepEqual(run('registry.k8s.io/a/echo', { command: ['sh'] }), ['sh'])
})

test('a stand-in listens on declared ports and on those of its probes', () => {
  const container: Container = {
    name: 'c',
    ports: [
      { name: 'web', containerPort: 80 },
      { containerPort: 53, protocol: 'UDP' },
      { containerPort: 9, protocol: 'SCTP' },
    ],
    readinessProbe: { httpGet: { port: 'web' } },
    livenessProbe: { grpc: { port: 7070 } },
    startupProbe: { tcpSocket: { port: 1, host: 'elsewhere' } },
  }
  assert.deepEqual(
    standInPorts(container).map(({ port, protocol }) => `${port}/${protocol}`),
    ['80/TCP', '53/UDP', '7070/TCP'],
  )
  assert.equal(findPort(container, 'none'), undefined)
})
