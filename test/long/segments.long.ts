// A lab whose nodes are on two subnets behind a router: DNS, Services and egress for every pod, and what cuts the tunnel is named.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '..', '..')
const environment: NodeJS.ProcessEnv = { ...process.env, PLUMB_LAB: 'segments' }

async function plumb(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return run(join(root, 'plumb'), words, { env: environment, maxBuffer: 1 << 24 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

before(async () => {
  const examples = ['shop', 'egress'].flatMap((name) => ['-f', join(root, 'examples', name)])
  const up = await plumb('up', '--nodes', '4', '--segments', '2', ...examples)
  assert.equal(up.code, 0, up.stderr)
})
after(() => plumb('down'))

async function podsOf(namespace: string): Promise<{ name: string; node: string }[]> {
  const kubeconfig = (await plumb('kubeconfig')).stdout.trim()
  const format = 'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\\n"}{end}'
  const { stdout } = await run('kubectl', ['--kubeconfig', kubeconfig, '-n', namespace, 'get', 'pods', '-o', format])
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', node = ''] = line.split(' ')
      return { name, node }
    })
}

test('names, Services and pods are reached across the router', async () => {
  for (const family of ['4', '6']) {
    for (let i = 0; i < 4; i++) {
      const { code, stderr } = await plumb('exec', 'client', '--', 'curl', `-${family}`, '-sf', '-m', '5', 'http://web')
      assert.equal(code, 0, `IPv${family} ${i}: ${stderr}`)
    }
  }
})

test('selected pods of both segments leave under their addresses', async () => {
  const pods = await podsOf('red')
  assert.ok(new Set(pods.map(({ node }) => Number(node.slice(5)) % 2)).size === 2, JSON.stringify(pods))
  for (const { name } of pods) {
    const { stdout } = await plumb('exec', '-n', 'red', name, '--', 'curl', '-s', '-m', '10', 'http://203.0.113.10/')
    assert.match(stdout, /^172\.30\.0\.100 /)
  }
})

test('a port that is blocked between segments is named', async () => {
  const [web] = (await podsOf('default')).filter(
    ({ name, node }) => name.startsWith('web') && Number(node.slice(5)) % 2 === 0,
  )
  assert.ok(web !== undefined, 'no pod of web is on the second segment')
  const chain = 'add chain netdev cut in { type filter hook ingress device eth0 priority 0; }'
  const words = `add table netdev cut; ${chain}; add rule netdev cut in udp dport 8472 drop`
  assert.equal((await plumb('exec', '--node', web.node, '--', 'nft', words)).code, 0)
  const { code, stdout } = await plumb('doctor', 'svc/web')
  assert.equal(code, 1, stdout)
  assert.match(stdout, /through its tunnel is answered: node-\d is on another segment: VXLAN 80 .* UDP port 8472/)
})
