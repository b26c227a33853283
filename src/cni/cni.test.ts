import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { installCni, runCni } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumb-cni-'))
const socket = join(folder, 'agent.sock')
let asked: unknown
let answer: unknown = {}
const agent = createServer(async (request, response) => {
  asked = await json(request)
  response.end(JSON.stringify(answer))
})

before(async () => {
  agent.listen(socket)
  await once(agent, 'listening')
})
after(() => {
  agent.close()
  rmSync(folder, { recursive: true, force: true })
})

const configuration = JSON.stringify({ cniVersion: '1.0.0', name: 'plumb', type: 'plumb', socket })
const environment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/var/run/netns/x',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1;K8S_POD_UID=u-1',
}

test('ADD hands the pod on and prints the result in the version that was asked for', async () => {
  answer = { cniVersion: '1.1.0', interfaces: [], ips: [{ address: '10.244.1.2/32' }] }
  const { stdout, exitCode } = await runCni(environment, configuration)
  assert.equal(exitCode, 0)
  assert.deepEqual(JSON.parse(stdout), { cniVersion: '1.0.0', interfaces: [], ips: [{ address: '10.244.1.2/32' }] })
  assert.deepEqual(asked, {
    command: 'ADD',
    containerId: 'c1',
    netns: '/var/run/netns/x',
    ifname: 'eth0',
    pod: { namespace: 'shop', name: 'web-1', uid: 'u-1' },
  })
})

test('DEL without a namespace and GC with the valid attachments reach the agent; they print nothing', async () => {
  answer = {}
  const gone = await runCni({ ...environment, CNI_COMMAND: 'DEL', CNI_NETNS: '' }, configuration)
  assert.deepEqual([gone.stdout, gone.exitCode], ['', 0])
  assert.equal((asked as { netns?: string }).netns, undefined)
  const valid = [{ containerID: 'c1', ifname: 'eth0' }]
  const text = JSON.stringify({ ...JSON.parse(configuration), 'cni.dev/valid-attachments': valid })
  assert.equal((await runCni({ CNI_COMMAND: 'GC' }, text)).exitCode, 0)
  assert.deepEqual((asked as { validAttachments: unknown }).validAttachments, valid)
})

test('refusals are CNI errors with the specification’s codes', async () => {
  const code = async (env: NodeJS.ProcessEnv, stdin: string): Promise<number> => {
    const { stdout, exitCode } = await runCni(env, stdin)
    assert.equal(exitCode, 1)
    return JSON.parse(stdout).code
  }
  const elsewhere = JSON.stringify({ cniVersion: '1.1.0', socket: join(folder, 'nobody.sock') })
  answer = { cniVersion: '1.1.0', code: 11, msg: 'the node has no podCIDR yet' }
  assert.equal(await code(environment, configuration), 11, 'the agent’s own')
  assert.equal(await code(environment, 'no json'), 6)
  assert.equal(await code(environment, JSON.stringify({ cniVersion: '0.2.0' })), 1)
  assert.equal(await code(environment, elsewhere), 11)
  assert.equal(await code({ CNI_COMMAND: 'STATUS' }, elsewhere), 50)
})

test('VERSION needs neither input nor agent', async () => {
  const { stdout } = await runCni({ CNI_COMMAND: 'VERSION' }, '')
  assert.ok(JSON.parse(stdout).supportedVersions.includes('1.1.0'))
})

test('the installed plugin runs by itself, with the Node that it brings', () => {
  const places = { binDir: join(folder, 'bin'), confDir: join(folder, 'net.d'), socket }
  installCni(places)
  installCni(places)
  const { plugins } = JSON.parse(readFileSync(join(places.confDir, '10-plumb.conflist'), 'utf8'))
  assert.deepEqual(plugins, [{ type: 'plumb', socket }])
  const call = (command: string, input: string) =>
    spawnSync(join(places.binDir, 'plumb'), {
      env: { CNI_COMMAND: command, PATH: '/usr/bin:/bin' },
      input,
      encoding: 'utf8',
    })
  assert.ok(JSON.parse(call('VERSION', '').stdout).supportedVersions.includes('1.0.0'))
  const elsewhere = { cniVersion: '1.0.0', ...plugins[0], socket: join(folder, 'nobody.sock') }
  const refused = call('STATUS', JSON.stringify(elsewhere))
  assert.deepEqual([refused.status, JSON.parse(refused.stdout).code], [1, 50])
})

test('loopback is installed beside it, speaks to the same agent, and leaves another’s where it is', async () => {
  const places = { binDir: join(folder, 'loopback-bin'), confDir: join(folder, 'loopback.d'), socket }
  installCni(places)
  installCni(places)
  // As containerd 1.6 calls it: a configuration of its own, which names no socket.
  const call = async (input: object) => {
    const env = { ...environment, CNI_IFNAME: 'lo', PATH: '/usr/bin:/bin' }
    const child = spawn(join(places.binDir, 'loopback'), { env, stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.end(JSON.stringify({ cniVersion: '0.3.1', name: 'cni-loopback', type: 'loopback', ...input }))
    return JSON.parse(await text(child.stdout))
  }
  answer = { cniVersion: '1.1.0', interfaces: [{ name: 'lo' }], ips: [] }
  assert.deepEqual(await call({}), { cniVersion: '0.3.1', interfaces: [{ name: 'lo' }], ips: [] })
  const { plugin, command, netns } = asked as Record<string, unknown>
  assert.deepEqual([plugin, command, netns], ['loopback', 'ADD', '/var/run/netns/x'])
  const prevResult = { cniVersion: '0.3.1', interfaces: [{ name: 'eth0' }] }
  assert.deepEqual(await call({ prevResult }), prevResult)
  writeFileSync(join(places.binDir, 'loopback'), 'upstream’s')
  installCni(places)
  assert.equal(readFileSync(join(places.binDir, 'loopback'), 'utf8'), 'upstream’s')
})
