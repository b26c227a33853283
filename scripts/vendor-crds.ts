// Writes crds/gateway-api and crds/network-policy-api: the published CustomResourceDefinitions of these projects (Apache-2.0), as
// compact JSON, which parses forty times as fast as YAML. Needs Go, whose module mirror has them. Run for a new version:
// node scripts/vendor-crds.ts
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const sources = [
  { module: 'sigs.k8s.io/gateway-api@v1.6.3', target: 'gateway-api', kinds: /^gateway\.networking\.k8s\.io_(?!vap)/ },
  {
    module: 'sigs.k8s.io/network-policy-api@v0.2.0',
    target: 'network-policy-api',
    kinds: /^policy\.networking\.k8s\.io_/,
  },
]

for (const { module, target, kinds } of sources) {
  const { Dir } = JSON.parse(execFileSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8' }))
  const folder = join(import.meta.dirname, '../crds', target)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const channel = join(Dir, 'config/crd/experimental')
  for (const file of readdirSync(channel).filter((name) => kinds.test(name))) {
    const definition = parse(readFileSync(join(channel, file), 'utf8'))
    writeFileSync(join(folder, `${definition.spec.names.plural}.json`), `${JSON.stringify(definition)}\n`)
  }
}
