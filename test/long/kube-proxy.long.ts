// kube-proxy itself on the nodes, in each of its modes that this kernel has: what its rules are read to do is what packets meet,
// and the doctor names what goes wrong. Needs kube-proxy (scripts/build-kube-proxy.sh) in PATH or in PLUMB_KUBE_PROXY, and iptables.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Diagnosis } from '../../src/doctor/index.ts'
import { foretell, fronts } from '../kube-proxy-agreement.ts'
import { KubeProxyCluster, type Said } from '../kube-proxy-cluster.ts'
import { faults, patchService } from '../kube-proxy-faults.ts'

const program = process.env.PLUMB_KUBE_PROXY ?? 'kube-proxy'
const missing = [
  [program, '--version'],
  ['iptables-legacy', '-V'],
  ['iptables-nft', '-V'],
].find(([command = '', word = '']) => !works(command, word))
const skip =
  missing === undefined
    ? false
    : `${missing[0]} is not here; scripts/build-kube-proxy.sh builds kube-proxy, and iptables is a package`

for (const { name, mode, backend } of [
  { name: 'nftables', mode: 'nftables', backend: 'nft' },
  { name: 'iptables (nft)', mode: 'iptables', backend: 'nft' },
  { name: 'iptables (legacy)', mode: 'iptables', backend: 'legacy' },
] as const) {
  describe(`kube-proxy, mode ${name}`, { skip }, () => {
    const cluster = new KubeProxyCluster()
    const proxies = new Map<string, ReturnType<KubeProxyCluster['keep']>>()
    const start = (node: string): void => {
      const words = [
        '--kubeconfig',
        cluster.kubeconfig,
        '--hostname-override',
        node,
        '--proxy-mode',
        mode,
        '--cluster-cidr',
        '10.244.0.0/16',
      ]
      // These sysctls are the machine's, not the namespace's.
      const untouched = [
        '--conntrack-max-per-core=0',
        '--conntrack-tcp-timeout-established=0',
        '--conntrack-tcp-timeout-close-wait=0',
      ]
      proxies.set(node, cluster.keep(node, program, [...words, ...untouched]))
    }
    const doctor = async (target: string): Promise<{ said: Said; found: Diagnosis }> => {
      const said = await cluster.plumb('node-1', 'doctor', target, '-o', 'json')
      assert.notEqual(said.stdout, '', said.stderr)
      return { said, found: (JSON.parse(said.stdout) as { diagnoses: [Diagnosis] }).diagnoses[0] }
    }
    const settled = async (): Promise<void> => {
      for (;;) {
        const { code, stdout } = await cluster.run('client', 'curl', ['-s', '--max-time', '1', 'http://10.96.0.50/'])
        if (code === 0 && stdout !== '') return
        await pause(200)
      }
    }

    before(async () => {
      if (backend === 'legacy') cluster.preferPrograms(legacyPrograms(cluster.folder))
      await cluster.start()
      for (const node of ['node-1', 'node-2']) start(node)
      await settled()
      await pause(1500)
    })
    after(() => cluster.close())

    it('is well', async () => {
      for (const target of ['svc/shop/web', 'svc/shop/local', 'svc/shop/sticky'])
        assert.equal((await doctor(target)).found.kind, 'healthy', target)
    })

    it('what its rules are read to do is what packets meet', async () => {
      let agreed = 0
      for (const client of ['client', 'web-a', 'node-1', 'outside', 'web-b', 'node-2']) {
        for (const front of fronts) {
          const foretold = await foretell(cluster, client, front)
          for (let time = 0; time < 4; time++) {
            const { code, stdout } = await cluster.run(client, 'curl', ['-s', '--max-time', '0.5', `http://${front}/`])
            const met = code === 0 ? (stdout.split(' ')[0] ?? '') : code === 7 ? 'refused' : 'silence'
            assert.ok(foretold.includes(met), `${client} → ${front}: met ${met}, foretold ${foretold.join(' or ')}`)
            agreed += 1
          }
        }
      }
      console.log(`${name}: ${agreed} packets met what was read`)
    })

    for (const { says, on, off, target, expect } of faults[mode]) {
      it(says, async () => {
        await cluster.must('node-1', 'sh', ['-c', on])
        try {
          const { said, found } = await doctor(target)
          const [cause] = found.causes
          assert.deepEqual([cause?.rule, said.code], [expect.rule, 1], said.stdout)
          assert.equal(cause!.object, expect.object ?? 'node/node-1')
          assert.match(cause!.value, expect.value)
        } finally {
          await cluster.must('node-1', 'sh', ['-c', off])
        }
      })
    }

    it('a wrong targetPort is the Service’s fault, not kube-proxy’s', async () => {
      const ports = (targetPort: number) => ({
        ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort, nodePort: 30080 }],
      })
      await patchService(cluster, 'web', ports(8081))
      try {
        // Asked at once: kube-proxy is not blamed for what is on its way.
        const { found } = await doctor('svc/shop/web')
        assert.deepEqual(found.causes.map(({ rule }) => rule).slice(0, 1), ['wrong-target-port'], found.says)
      } finally {
        await patchService(cluster, 'web', ports(8080))
        await settled()
      }
    })

    it('endpoints that moved while kube-proxy was dead', async () => {
      proxies.get('node-1')!.kill('SIGKILL')
      await patchService(cluster, 'web', { selector: { app: 'local' } })
      try {
        await cluster.endpoints('web', ['10.244.2.12'])
        const { found } = await doctor('svc/shop/web')
        assert.equal(found.causes[0]?.rule, 'proxy-behind', found.says)
        assert.equal(found.causes[0].value, 'does not run')
        assert.match(
          found.causes[0].proof[0] ?? '',
          /objects say 10\.244\.2\.12:8080, the rules of node-1 lead to 10\.244\.1\.11:8080/,
        )
      } finally {
        await patchService(cluster, 'web', { selector: { app: 'web' } })
        start('node-1')
      }
      const started = performance.now()
      for (;;) {
        const { found } = await doctor('svc/shop/web')
        if (found.kind === 'healthy') break
        assert.ok(performance.now() - started < 60_000, found.says)
      }
      console.log(`${name}: well again ${Math.round(performance.now() - started)} ms after kube-proxy was started`)
    })
  })
}

function works(command: string, word: string): boolean {
  try {
    execFileSync(command, [word], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A folder in which the usual names are the legacy programs. */
function legacyPrograms(folder: string): string {
  const programs = join(folder, 'programs')
  mkdirSync(programs)
  for (const tool of ['iptables', 'ip6tables']) {
    for (const verb of ['', '-save', '-restore']) {
      const path = execFileSync('which', [`${tool}-legacy${verb}`])
        .toString()
        .trim()
      symlinkSync(path, join(programs, `${tool}${verb}`))
    }
  }
  return programs
}
