import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'
import { renderKubeconfig } from './index.ts'
import { findKubectls, runScript } from './kubectl.fixture.ts'
import { apiScript, configMap } from './kubectl-script.fixture.ts'
import { startTestServer, type TestServer } from './server.fixture.ts'

const kubectls = findKubectls()
let context: TestServer
let folder: string

before(async () => {
  context = await startTestServer()
  folder = mkdtempSync(join(tmpdir(), 'plumb-kubectls-'))
  const { authority, admin } = context.certificates
  const server = `https://127.0.0.1:${context.client.port}`
  writeFileSync(join(folder, 'kubeconfig'), renderKubeconfig({ server, clusterCa: authority.cert, client: admin }), {
    mode: 0o600,
  })
})
after(async () => {
  rmSync(folder, { recursive: true, force: true })
  await context[Symbol.asyncDispose]()
})

for (const [index, file] of kubectls.entries()) {
  test(`${basename(file)}: every verb that needs no node, by output and exit code`, async () => {
    const namespace = `version-${index}`
    const home = join(folder, namespace)
    mkdirSync(home)
    writeFiles(home)
    await context.client.call('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
    const steps = apiScript.map((step) => {
      const fill = (text: string) => text.replaceAll('HOME', home).replaceAll('NAMESPACE', namespace)
      return { ...step, words: fill(step.words), input: fill(step.input ?? '') }
    })
    const count = await runScript(file, home, join(folder, 'kubeconfig'), namespace, steps)
    console.log(`${basename(file)}: ${count} commands`)
  })
}

function writeFiles(home: string): void {
  const one = configMap('one')
  const manifests = { one, made: configMap('made'), both: `${one}---\n${configMap('two')}` }
  for (const [name, text] of Object.entries(manifests)) writeFileSync(join(home, `${name}.yaml`), text)
  writeFileSync(join(home, 'tls.crt'), context.certificates.admin.cert)
  writeFileSync(join(home, 'tls.key'), context.certificates.admin.key)
  writeFileSync(join(home, 'literal.txt'), 'from a file')
  mkdirSync(join(home, 'kustom'))
  writeFileSync(join(home, 'kustom', 'kustomization.yaml'), 'namePrefix: k-\nresources: [one.yaml]\n')
  writeFileSync(join(home, 'kustom', 'one.yaml'), one)
}
