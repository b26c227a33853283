import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { renderKubeconfig } from '../apiserver/index.ts'
import { startTestServer } from '../apiserver/server.fixture.ts'

const leaseMs = 6000
const folder = mkdtempSync(join(tmpdir(), 'plumb-contest-'))
const contenders: Contender[] = []
after(() => {
  for (const { child } of contenders) {
    child.kill('SIGCONT')
    child.kill('SIGKILL')
  }
  rmSync(folder, { recursive: true, force: true })
})

interface Contender {
  readonly identity: string
  readonly child: ChildProcess
  readonly said: { readonly what: string; readonly at: number }[]
}

function contend(kubeconfig: string, identity: string): Contender {
  const fixture = fileURLToPath(new URL('./leader-election.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, [fixture, kubeconfig, identity], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: { what: string; at: number }[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n')) if (line !== '') said.push(JSON.parse(line))
  })
  const contender = { identity, child, said }
  contenders.push(contender)
  return contender
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !condition(); await pause(10)) assert.ok(Date.now() < end, what)
}

test('two contenders, the leader frozen and thawed: never two by the rules of the Lease', async () => {
  await using context = await startTestServer()
  const { authority, admin } = context.certificates
  const server = `https://127.0.0.1:${context.client.port}`
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, renderKubeconfig({ server, clusterCa: authority.cert, client: admin }), { mode: 0o600 })
  const watch = await context.client.watch('/apis/coordination.k8s.io/v1/namespaces/default/leases?watch=true')
  const history: { readonly holder: string; readonly at: number; readonly transitions: number }[] = []
  const follow = (async () => {
    for (;;) {
      const { object } = await watch.next()
      if (object.metadata?.name !== 'contest') continue
      const { holderIdentity: holder, leaseTransitions: transitions } = object.spec
      history.push({ holder, at: performance.now(), transitions })
    }
  })()
  follow.catch(() => undefined)

  const leads = ({ said }: Contender) => said.at(-1)?.what === 'leads'
  const pair = [contend(kubeconfig, 'a'), contend(kubeconfig, 'b')]
  for (let round = 0; round < 2; round++) {
    await until('somebody leads', () => pair.some(leads))
    assert.ok(!pair.every(leads), 'both lead')
    const frozen = pair.find(leads)!
    const other = pair.find((one) => one !== frozen)!
    frozen.child.kill('SIGSTOP')
    const frozenAt = performance.now()
    await until('the other takes over', () => leads(other))
    const tookOver = performance.now() - frozenAt
    // The leader that wakes up believes for a moment that it leads, as every leader without fencing would; it must not renew.
    const before = history.length
    frozen.child.kill('SIGCONT')
    const thawedAt = performance.now()
    await until('the thawed one steps down', () => !leads(frozen))
    const stepped = performance.now() - thawedAt
    await pause(1000)
    assert.ok(leads(other) && !leads(frozen))
    assert.ok(
      history.slice(before).every(({ holder }) => holder === other.identity),
      'the thawed one wrote into a Lease that it had lost',
    )
    console.log(
      `frozen: the other leads after ${tookOver.toFixed(0)} ms; thawed: steps down after ${stepped.toFixed(0)} ms`,
    )
  }
  checkLease(history)
  // A leader that ends in order gives the Lease up, and the other need not wait for its time.
  const leader = pair.find(leads)!
  const heir = pair.find((one) => one !== leader)!
  leader.child.kill('SIGTERM')
  const endedAt = performance.now()
  await until('the heir leads', () => leads(heir))
  console.log(`ended: the other leads after ${(performance.now() - endedAt).toFixed(0)} ms`)
  watch.close()
})

/** Nobody takes the Lease from a holder before its time since the last renewal is over, and each change of holders is counted. */
function checkLease(history: readonly { holder: string; at: number; transitions: number }[]): void {
  assert.ok(history.length > 4)
  for (let i = 1; i < history.length; i++) {
    const [before, now] = [history[i - 1]!, history[i]!]
    if (before.holder === now.holder) {
      assert.equal(now.transitions, before.transitions)
      continue
    }
    assert.equal(now.transitions, before.transitions + 1)
    // Events reach this process with a delay of their own, hence a little less than the whole time.
    assert.ok(
      now.at - before.at > leaseMs * 0.8,
      `${now.holder} took over ${now.at - before.at} ms after ${before.holder}`,
    )
  }
}
