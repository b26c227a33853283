// node run.ts [LAB] [POLICY…]: for each policy, a load from inside the lab while one replica is slowed, one fails, one is killed and
// one is drained by a scale-down; then latency.svg, and a table on standard output. Wants: plumb up --name LAB -f examples/client-balancing
import { execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { type Call, renderPicture, summarize } from './picture.ts'

const [lab = 'lb', ...given] = process.argv.slice(2)
const policies = given.length > 0 ? given : ['round-robin', 'least-request', 'peak-ewma']
const root = resolve(import.meta.dirname, '..', '..')
const plumb = join(root, 'plumb')
const [seconds, perSecond] = [20, 100]
const exec = promisify(execFile)

const { stdout: path } = await exec(plumb, ['kubeconfig', '--name', lab])
const environment = { ...process.env, KUBECONFIG: path.trim() }
const kubectl = async (...words: string[]): Promise<string> =>
  (await exec('kubectl', words, { env: environment })).stdout.trim()
const inPod = (pod: string, ...words: string[]): string[] => ['exec', '--name', lab, pod, '--', ...words]

/** Ready replicas, by address. */
async function replicas(): Promise<{ name: string; address: string }[]> {
  const format = '{range .items[*]}{.metadata.name} {.status.podIP} {.metadata.deletionTimestamp}{"\\n"}{end}'
  const text = await kubectl('get', 'pods', '-l', 'app=orders', '-o', `jsonpath=${format}`)
  return text.split('\n').flatMap((line) => {
    const [name, address, ending] = line.trim().split(' ')
    return name === undefined || address === undefined || ending !== undefined ? [] : [{ name, address }]
  })
}

async function tell(address: string, what: string): Promise<void> {
  await exec(plumb, inPod('caller', 'curl', '-sf', `http://${address}:8080/${what}`))
}

/** The caller's own credentials: its account's token, and the API by its Service. */
async function kubeconfig(): Promise<string> {
  const token = await kubectl('create', 'token', 'caller')
  const authority = await kubectl(
    'config',
    'view',
    '--raw',
    '-o',
    'jsonpath={.clusters[0].cluster.certificate-authority-data}',
  )
  return JSON.stringify({
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server: 'https://10.96.0.1', 'certificate-authority-data': authority } }],
    users: [{ name: 'caller', user: { token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'caller', namespace: 'default' } }],
  })
}

async function measure(policy: string): Promise<Call[]> {
  await kubectl('scale', 'deployment', 'orders', '--replicas=10')
  await kubectl('rollout', 'status', 'deployment/orders', '--timeout=60s')
  const [slow, failing, killed] = await replicas()
  if (slow === undefined || failing === undefined || killed === undefined)
    throw new Error('orders has not three replicas')
  const script = `printf %s "$1" >/tmp/kubeconfig && KUBECONFIG=/tmp/kubeconfig exec "$2" "$3" "$4" ${seconds} ${perSecond}`
  const caller = join(import.meta.dirname, 'caller.ts')
  const words = ['sh', '-c', script, 'sh', await kubeconfig(), process.execPath, caller, policy]
  const load = spawn(plumb, inPod('caller', ...words), { stdio: ['ignore', 'pipe', 'inherit'] })
  const calls: Call[] = []
  const events: [atMs: number, run: () => Promise<unknown>][] = [
    [3000, () => tell(slow.address, 'slow?ms=500')],
    [7000, () => tell(slow.address, 'well')],
    [8000, () => tell(failing.address, 'fail')],
    [12_000, () => tell(failing.address, 'well')],
    [13_000, () => kubectl('delete', 'pod', killed.name, '--force', '--grace-period=0', '--wait=false')],
    [16_000, () => kubectl('scale', 'deployment', 'orders', '--replicas=7')],
  ]
  for await (const line of createInterface(load.stdout)) {
    const call = JSON.parse(line) as Call
    calls.push(call)
    // The load's own clock says when: it starts when the first list of instances is there.
    while (events[0] !== undefined && call.at >= events[0][0]) void events.shift()![1]()
  }
  return calls
}

const results: { policy: string; calls: Call[] }[] = []
for (const policy of policies) {
  results.push({ policy, calls: await measure(policy) })
  console.log(summarize(policy, results.at(-1)!.calls))
}
const picture = join(import.meta.dirname, 'latency.svg')
writeFileSync(picture, renderPicture(results, seconds))
console.error(`picture: ${picture}`)
