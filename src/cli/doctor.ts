import { type Address, findAddress } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import { type Collected, type Diagnosis, diagnose, findClient, type Subject, subjectsOf } from '../doctor/index.ts'
import { findEnd } from '../explain/index.ts'
import { collect } from './collect.ts'
import { reportDiagnoses } from './doctor-report.ts'
import { exit, say } from './output.ts'
import { type Cluster, openCluster } from './read-cluster.ts'
import { parseEnd, parseTarget, splitPort } from './why.ts'

export interface DoctorOptions {
  name: string
  kubeconfig?: string
  namespace: string
  from?: string
  path?: string
  fix: boolean
  output: 'text' | 'json'
}

/** `plumb doctor TARGET`: exit status 0 when it is well, 1 when a cause was found, 2 when none explains what fails, 3 when nothing could be tried. */
export async function runDoctor(target: string, options: DoctorOptions): Promise<void> {
  const { end: word, port } = splitPort(target)
  const end = parseTarget(word, options.namespace)
  if (typeof end === 'string' || end.kind !== 'service') {
    say(`plumb doctor: "${target}" is not svc/NAME[:PORT]`)
    process.exitCode = exit.usage
    return
  }
  const cluster = await openCluster('plumb doctor', options)
  if (cluster === undefined) return
  try {
    const found = findEnd(cluster.snapshot, end)
    if (found.kind === 'unknown' || found.service === undefined)
      return cannot(found.kind === 'unknown' ? found.says : found.label)
    const subjects = subjectsOf(cluster.snapshot, found.service, {
      ...(port === undefined ? {} : { port }),
      ...(options.path === undefined ? {} : { path: options.path }),
    })
    if (typeof subjects === 'string') return cannot(subjects)
    const client = clientOf(cluster, subjects[0]!, options)
    if (client?.kind === 'wrong') return cannot(client.says)
    const diagnoses: Diagnosis[] = []
    for (const subject of subjects) diagnoses.push(diagnose(await examineOne(cluster, subject, client?.key)))
    reportDiagnoses(cluster, diagnoses, options)
  } finally {
    cluster.client.close()
  }
}

function cannot(says: string): void {
  say(`plumb doctor: ${says}`)
  process.exitCode = exit.cannot
}

function clientOf(
  { snapshot }: Cluster,
  subject: Subject,
  { from, namespace }: DoctorOptions,
): { kind: 'pod'; key: string } | { kind: 'wrong'; says: string } | undefined {
  if (from === undefined) {
    const key = findClient(snapshot, subject)
    return key === undefined ? undefined : { kind: 'pod', key }
  }
  const end = parseEnd(from.includes('/') ? from : `pod/${from}`, namespace)
  if (typeof end === 'string' || end.kind !== 'pod') return { kind: 'wrong', says: `--from "${from}" is not pod/NAME` }
  const found = findEnd(snapshot, end)
  if (found.kind === 'unknown') return { kind: 'wrong', says: found.says }
  return found.pod === undefined ? undefined : { kind: 'pod', key: keyOf(found.pod) }
}

function examineOne(cluster: Cluster, subject: Subject, client: string | undefined): Promise<Collected> {
  const outside: readonly Address[] = (cluster.lab?.state.outside ?? []).flatMap((text) => findAddress(text) ?? [])
  return collect(cluster, subject, { client, outside, clusterDomain: 'cluster.local' })
}
