import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { faults } from './doctor-faults.ts'
import { FaultLab, placeOf } from './doctor-lab.ts'

const usual = faults.filter((fault) => fault.usual)
const lab = new FaultLab(`doctor-${process.pid}`)
before(async () => {
  await lab.start(usual)
  await lab.settled(usual)
})
after(() => lab.stop())

for (const fault of usual) {
  test(`the doctor names it: ${fault.says}`, async (t) => {
    await lab.inject(fault, 'on')
    try {
      const said = await lab.doctor(fault)
      t.diagnostic(`${said.ms} ms: ${said.says}`)
      assert.equal(placeOf(fault, said), 1, JSON.stringify(said, null, 2))
      assert.equal(said.code, 1)
    } finally {
      await lab.inject(fault, 'off')
    }
  })
}

test('what is well is called well, also after the faults of nodes are gone', async () => {
  const { code, stdout } = await lab.cli('doctor', 'svc/kubernetes')
  assert.equal(code, 0, stdout)
  assert.match(stdout, /^✓ service\/default\/kubernetes port 443\/tcp answers everywhere/)
})

test('what cannot be asked for is said, and not guessed', async () => {
  const unknown = await lab.cli('doctor', 'svc/kubernetse')
  assert.equal(unknown.code, 3)
  assert.match(unknown.stderr, /did you mean kubernetes\?/)
  assert.match((await lab.cli('doctor', 'svc/kubernetes:81')).stderr, /has no port 81; it has 443\/tcp \(https\)/)
  assert.equal((await lab.cli('doctor', 'node/node-1')).code, 64)
})

test('why --probe follows a real packet, and proves where it was lost', async () => {
  const well = await lab.cli('why', 'node/node-1', 'svc/kubernetes', '--probe')
  assert.equal(well.code, 0, well.stdout + well.stderr)
  assert.match(well.stdout, /✓ it arrived.*and the answer came back/)
  const fault = usual.find(({ name }) => name === 'firewall')!
  await lab.inject(fault, 'on')
  try {
    const lost = await lab.cli('why', 'pod/client', 'svc/web', '-n', 'firewall', '--probe')
    assert.equal(lost.code, 1)
    assert.match(
      lost.stdout,
      /^✗ .*the wire disagrees: it came into node\/node-2 as .* and did not leave it for pod\/firewall\/app/,
    )
  } finally {
    await lab.inject(fault, 'off')
  }
  const denied = await lab.cli('why', 'pod/client', 'svc/web', '-n', 'policy-ingress', '--probe')
  assert.match(
    denied.stdout,
    /✓ it (left|came into) node\/node-\d as .* (never reached|did not leave it)/,
    denied.stdout,
  )
})

for (const { name, more } of [
  { name: 'selector', more: /✓ tried on the model: \d of \d probes that failed would get through/ },
  { name: 'idle-race', more: /no patch: let the application keep idle connections/ },
]) {
  test(`what was looked at fits into a file, and is judged alike without the cluster: ${name}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plumb-capsule-'))
    const file = join(folder, `${name}.json`)
    try {
      const live = await lab.cli('doctor', 'svc/web', '-n', name, '--save', file, '--fix')
      const again = await lab.cli('doctor', '--capsule', file, '--fix')
      assert.equal(again.code, 1)
      assert.equal(again.stdout, live.stdout)
      assert.match(again.stdout, more)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}

test('why answers from a capsule, and what is none is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumb-capsule-'))
  const file = join(folder, 'selector.json')
  try {
    await lab.cli('doctor', 'svc/web', '-n', 'selector', '--save', file)
    const why = await lab.cli('why', 'pod/client', 'svc/web', '-n', 'selector', '--capsule', file)
    assert.equal(why.code, 1)
    assert.match(why.stdout, /selector app=wbe matches none/)
    assert.match((await lab.cli('doctor', '--capsule', import.meta.filename)).stderr, /is not JSON/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('doctor --watch tells when a fault comes, when it goes, and when another one comes', async () => {
  const fault = usual.find(({ name }) => name === 'firewall')!
  const other = { ...usual.find(({ name }) => name === 'not-forwarding')!, name: fault.name }
  const watch = lab.follow('doctor', 'svc/web', '-n', fault.name, '--watch')
  const healthy = /\n\S+Z {2}healthy: .*answers everywhere/
  try {
    await watch.said(/^✓ service\/firewall\/web port 80\/tcp answers everywhere/)
    await lab.inject(fault, 'on')
    await watch.said(/\n\S+Z {2}sick: .*where others have rules: table ip other/)
    await lab.inject(fault, 'off')
    await watch.said(healthy)
    await lab.inject(other, 'on')
    await watch.said(/healthy: [\s\S]*\n\S+Z {2}sick: .*node-2 does not forward IPv4 packets/)
  } finally {
    await lab.inject(fault, 'off').catch(() => undefined)
    await lab.inject(other, 'off')
  }
  await watch.said(/not forward[\s\S]*\n\S+Z {2}healthy: /)
  await watch.end()
})

test('show draws an Ingress of the lab, and names the nearest of one that is not there', async () => {
  const well = await lab.cli('show', 'ingress/web', '-n', 'ingress-closes')
  assert.match(well.stdout, /ingress\/ingress-closes\/web[\s\S]*closes\.example[\s\S]*service\/ingress-closes\/web/)
  const lost = await lab.cli('show', 'ingress/web', '-n', 'ingress-class')
  assert.match(lost.stdout, /^✗ ingress\/ingress-class\/web/)
  const unknown = await lab.cli('show', 'ingress/wbe', '-n', 'ingress-closes')
  assert.match(unknown.stderr, /there is no Ingress ingress-closes\/wbe; did you mean web\?/)
})

test('the table of faults in the docs has every fault, with the rule that names it', () => {
  const lines = readFileSync(join(import.meta.dirname, '..', 'docs', 'faults.md'), 'utf8').split('\n')
  for (const { says, rule } of faults) {
    const line = lines.find((one) => one.includes(`| ${says} `))
    assert.ok(line?.includes(`\`${rule}\``), says)
  }
})

test('the launcher under the name kubectl-plumb is a kubectl plugin, which asks the cluster of the kubeconfig', async () => {
  const { code, stdout } = await lab.plugin('show', 'svc/kubernetes')
  assert.equal(code, 0)
  assert.match(stdout, /^✓ service\/default\/kubernetes/)
})
