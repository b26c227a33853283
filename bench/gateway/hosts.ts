import { webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { KubeObject } from '../../src/objects/index.ts'
import type { Row } from '../row.ts'
import { Handshakes } from './handshakes.ts'
import { median, row } from './rows.ts'
import { ingress, name, node, Stand, services, treeOf } from './stand.ts'

const certificates = 1000
const hostsEach = 10
const rounds = 6

/** What many names cost: memory, time until all are served, and what a handshake for one of them costs beside the same gateway with one name. */
export async function* hosts(): AsyncIterable<Row> {
  await using stand = await Stand.open()
  await stand.serve(10)
  const { module } = stand.gateway
  const own = { title: 'Plumb', pids: () => treeOf(module.pid!), https: 443 }
  const handshakes = new Handshakes(stand)
  const measure = async (host: string): Promise<number> => {
    const all: number[] = []
    for (let round = 0; round < rounds; round++) all.push((await handshakes.make(own, 'TLSv1.3', 'whole', host)).cpu)
    return median(all)
  }
  const [alone, before] = [await measure(name), megabytes(own.pids())]
  const hostsOf = (at: number): string[] => Array.from({ length: hostsEach }, (_, of) => `h${of}.c${at}.example`)
  const objects = await Promise.all(
    Array.from({ length: certificates }, async (_, at) => [
      await secretOf(`c${at}`, hostsOf(at)),
      ingressOf(at, hostsOf(at)),
    ]),
  )
  const words = `${certificates} certificates, ${certificates * hostsEach} hosts`
  const last = `h${hostsEach - 1}.c${certificates - 1}.example`
  const begun = performance.now()
  await stand.gateway.change(objects.flat())
  const connect = ['-k', '--connect-to', `${last}:443:${node}:443`, '-o', '/dev/null', '-w', '%{http_code}']
  while ((await stand.gateway.curl(...connect, `https://${last}/`)) !== '200') await pause(10)
  yield row(`${words}: all served after`, performance.now() - begun, 'ms')
  yield row(`${words}: memory of HAProxy`, megabytes(own.pids()), 'MB', 'with one', megabytes(own.pids()) / before)
  const cpu = await measure(last)
  yield row(`${words}: CPU of a whole handshake`, cpu, 'µs', 'with one', cpu / alone)
}

/** Proportional set size of processes: what they share counts once. */
function megabytes(pids: readonly number[]): number {
  const pages = pids.map((pid) => /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1])
  return pages.reduce((sum, kilobytes) => sum + Number(kilobytes), 0) / 1000
}

function ingressOf(at: number, hosts: readonly string[]): KubeObject {
  const [first, ...more] = hosts.map((host) => ingress(`c${at}`, host, ['/'], [services[at % services.length]!]))
  const { spec } = first as unknown as { spec: { rules: object[] } }
  const rules = [first!, ...more].flatMap((one) => (one as unknown as { spec: typeof spec }).spec.rules)
  return { ...first!, spec: { ...spec, rules, tls: [{ hosts, secretName: `c${at}` }] } } as KubeObject
}

async function secretOf(name: string, hosts: readonly string[]): Promise<KubeObject> {
  await import('reflect-metadata')
  const { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } = await import('@peculiar/x509')
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify'])
  const names = new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns', value })))
  const certificate = await X509CertificateGenerator.createSelfSigned(
    { name: `CN=${name}`, keys, signingAlgorithm, extensions: [names] },
    webcrypto as never,
  )
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  const data = { 'tls.crt': certificate.toString('pem'), 'tls.key': key }
  const encoded = Object.entries(data).map(([file, text]) => [file, Buffer.from(text).toString('base64')])
  const metadata = { name, namespace: 'ns' }
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata,
    data: Object.fromEntries(encoded),
  } as KubeObject
}
