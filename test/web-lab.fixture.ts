import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { TestLab } from './lab.fixture.ts'

export const nodes: readonly string[] = ['node-1', 'node-2', 'node-3']
export const another = (node: string): string => nodes.find((one) => one !== node) ?? ''

type ServiceSpec = { readonly ports: readonly object[]; readonly [field: string]: unknown }

/** A lab with six pods that tell who they are over HTTP and UDP, and a Service `web` of type LoadBalancer in front of them. */
export class WebLab extends TestLab {
  /** The Service's address, over IPv4. */
  readonly address = '172.30.0.200'
  /** For files of the test. */
  directory = ''

  async startWeb(spec: ServiceSpec): Promise<void> {
    this.directory = await mkdtemp(join(tmpdir(), `${this.name}-`))
    const file = join(this.directory, 'web.json')
    writeFileSync(file, webManifest(spec))
    await this.start('-f', file)
  }

  override async stop(): Promise<void> {
    await super.stop()
    await rm(this.directory, { recursive: true, force: true })
  }

  /** The node that agents and the wire say holds the address. */
  async held(condition: (node: string) => boolean = () => true): Promise<string> {
    return until('it is held, and answered for by its holder', async () => {
      const { stdout } = await this.cli('addresses', '-o', 'json')
      const lines = JSON.parse(stdout || '[]') as { address: string; node?: string; answeredBy: string[] }[]
      const line = lines.find((one) => one.address === this.address)
      return line?.node !== undefined && line.answeredBy.join() === line.node && condition(line.node) && line.node
    })
  }

  /** The nodes that say in the cluster's objects that they announce the address. */
  told(): Promise<string> {
    const path = `jsonpath={.items[?(@.status.address=="${this.address}")].status.node}`
    return this.kubectl('get', 'servicel2statuses', '-o', path)
  }

  toldIs(node: string): Promise<true> {
    return until(`${node} alone says so`, async () => (await this.told()) === node)
  }

  /** What the outside client gets of a pod; nothing within the time is an empty answer. */
  async fromOutside(at: string): Promise<string> {
    const host = at.split(':').length > 2 ? `[${at}]` : at
    return (await this.cli('exec', '--outside', '--', 'curl', '-sm', '5', `http://${host}/`)).stdout
  }

  /** Loses everything that the node sends and is sent, while its link stays up; the answer makes it good. */
  async cutOff(node: string): Promise<() => Promise<unknown>> {
    const chain = (name: string, hook: string): string =>
      `add chain netdev cut ${name} { type filter hook ${hook} device "eth0" priority 0; policy drop; }`
    const cut = `add table netdev cut; ${chain('in', 'ingress')}; ${chain('out', 'egress')}`
    assert.equal((await this.cli('exec', '--node', node, '--', 'nft', cut)).code, 0)
    return () => this.cli('exec', '--node', node, '--', 'nft', 'delete table netdev cut')
  }
}

export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, within = 30_000): Promise<T> {
  const end = Date.now() + within
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    assert.ok(Date.now() < end, `not within ${within} ms: ${what}`)
    await pause(50)
  }
}

function webManifest(spec: ServiceSpec): string {
  const labels = { app: 'web' }
  const ports = [{ containerPort: 80 }, { containerPort: 5353, protocol: 'UDP' }]
  const pod = { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'example/web', ports }] } }
  const metadata = { name: 'web' }
  const deployment = { replicas: 6, selector: { matchLabels: labels }, template: pod }
  const service = { type: 'LoadBalancer', selector: labels, ...spec }
  const items = [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: deployment },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: service },
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}
