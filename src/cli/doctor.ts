import { keyOf } from '../cluster/index.ts'
import {
  type AskedRequest,
  type Capsule,
  type Diagnosis,
  diagnose,
  findClient,
  requestsOfGateway,
  requestsOfIngress,
  type Stand,
  subjectsOf,
} from '../doctor/index.ts'
import { findEnd, findPlainService, keysIn, nearest, withoutSecrets } from '../explain/index.ts'
import { parseEnd, parseTarget, splitPort } from './asked.ts'
import { collect } from './collect.ts'
import { diagnoseCapsule, loadCapsule, writeCapsule } from './doctor-capsule.ts'
import { type ReportOptions, report, watchDiagnoses } from './doctor-report.ts'
import { examineRequest, type Gateways, parseUrl, readGateways, withObjects } from './doctor-request.ts'
import { exit, say } from './output.ts'
import { type Cluster, openCluster } from './read-cluster.ts'

export interface DoctorOptions extends ReportOptions {
  name: string
  kubeconfig?: string
  context?: string
  node?: string
  namespace: string
  from?: string
  path?: string
  save?: string
  capsule?: string
  watch: boolean
}

/** What is to be looked at. */
type Target =
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string; readonly port: string | undefined }
  | { readonly kind: 'ingress' | 'gateway'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'request'; readonly request: Omit<AskedRequest, 'objects'> }

/** `plumb doctor TARGET`: exit status 0 when it is well, 1 when a cause was found, 2 when none explains what fails, 3 when nothing could be tried. */
export async function runDoctor(text: string | undefined, options: DoctorOptions): Promise<void> {
  if (options.capsule !== undefined) {
    fromCapsule(text, options.capsule, options)
    return
  }
  if (text === undefined) {
    usage('say what does not answer, as in: plumb doctor svc/web')
    return
  }
  const target = readTarget(text, options.namespace)
  if (typeof target === 'string') {
    usage(target)
    return
  }
  if (options.watch) {
    await watchDiagnoses(() => look(target, options), options)
    return
  }
  const kept: Pick<Capsule, 'gateways'>[] = []
  const found = await look(target, options, kept)
  if (found === undefined) return
  report(found, options)
  if (options.save === undefined) return
  const bytes = writeCapsule(options.save, found, kept[0])
  say(
    bytes === undefined
      ? 'plumb doctor: nothing was collected to save'
      : `saved to ${options.save}, ${Math.ceil(bytes / 1024)} KiB; plumb doctor --capsule ${options.save} judges it anywhere`,
  )
}

function usage(says: string): void {
  say(`plumb doctor: ${says}`)
  process.exitCode = exit.usage
}

/** Whoever may not read Secrets saves a capsule that answers no questions about URLs. */
async function gatewaysToKeep(cluster: Cluster): Promise<Pick<Capsule, 'gateways'>> {
  try {
    return { gateways: withoutSecrets((await readGateways(cluster)).model) }
  } catch (error) {
    say(`plumb doctor: the capsule has no gateways: ${(error as Error).message}`)
    return {}
  }
}

/** Reads the cluster anew and examines the target; undefined when that is told already. */
async function look(
  target: Target,
  options: DoctorOptions,
  kept: Pick<Capsule, 'gateways'>[] = [],
): Promise<readonly Diagnosis[] | undefined> {
  const cluster = await openCluster('plumb doctor', options)
  if (cluster === undefined) return undefined
  if (cluster.lab === undefined)
    for (const one of [cluster.sight.says, ...cluster.sight.blind]) say(`plumb doctor: ${one}`)
  try {
    const found = await examine(cluster, target, options)
    if (options.save !== undefined) kept.push(await gatewaysToKeep(cluster))
    if (typeof found !== 'string') return found
    say(`plumb doctor: ${found}`)
    process.exitCode = exit.cannot
    return undefined
  } finally {
    cluster.client.close()
  }
}

function fromCapsule(text: string | undefined, path: string, options: DoctorOptions): void {
  const target = text === undefined ? undefined : readTarget(text, options.namespace)
  if (typeof target === 'string') usage(target)
  else if (target !== undefined && target.kind !== 'service') usage('a capsule is asked for a Service')
  else {
    const found = diagnoseCapsule(loadCapsule(path), target && `${target.namespace}/${target.name}`)
    if (typeof found !== 'string') report(found, options)
    else {
      say(`plumb doctor: ${found}`)
      process.exitCode = exit.cannot
    }
  }
}

function readTarget(text: string, namespace: string): Target | string {
  const request = parseUrl(text)
  if (request !== undefined) return { kind: 'request', request }
  const entry = /^(ingress|ing|ingresses|gateway|gtw|gateways)\/(?:([^/]+)\/)?([^/]+)$/.exec(text)
  if (entry !== null) {
    const [, word = '', own = namespace, name = ''] = entry
    return { kind: word.startsWith('g') ? 'gateway' : 'ingress', namespace: own, name }
  }
  const { end: word, port } = splitPort(text)
  const end = parseTarget(word, namespace)
  if (typeof end === 'string' || end.kind !== 'service')
    return `"${text}" is not svc/NAME[:PORT], ingress/NAME, gateway/NAME or a URL`
  return { kind: 'service', namespace: end.namespace, name: end.name, port }
}

/** The diagnoses, or what keeps them from being made. */
async function examine(
  cluster: Cluster,
  target: Target,
  options: DoctorOptions,
): Promise<readonly Diagnosis[] | string> {
  const client = findNamedClient(cluster, options)
  if (client?.kind === 'wrong') return client.says
  switch (target.kind) {
    case 'service':
      return examineService(cluster, target, client?.key, options)
    case 'request': {
      const { host, port = target.request.scheme === 'http' ? 80 : 443, path } = target.request
      const plain = findPlainService(cluster.snapshot, host, port, undefined)
      if (plain !== undefined) {
        const { service, to } = plain
        const { namespace = '', name } = service.metadata
        const own = service.spec.ports?.find(
          (one) => one.port === port || (to.kind === 'address' && one.nodePort === port),
        )
        const text = String(own?.port ?? port)
        return examineService(cluster, { kind: 'service', namespace, name, port: text }, client?.key, {
          ...options,
          path,
        })
      }
      const gateways = await readGateways(cluster)
      const stand = standOf(cluster, client?.key ?? anyClient(cluster), client !== undefined)
      return [await examineRequest(cluster, gateways, withObjects(gateways, target.request), stand)]
    }
    case 'ingress':
    case 'gateway': {
      const gateways = await readGateways(cluster)
      const requests = requestsTo(gateways, target)
      if (typeof requests === 'string') return requests
      const stand = standOf(cluster, client?.key ?? anyClient(cluster), client !== undefined)
      const diagnoses: Diagnosis[] = []
      for (const request of requests) diagnoses.push(await examineRequest(cluster, gateways, request, stand))
      return diagnoses
    }
    default:
      return target satisfies never
  }
}

/** What an Ingress or a Gateway promises to answer, or why there is nothing to ask. */
function requestsTo(
  { ingresses, gatewayApi }: Gateways,
  { kind, namespace, name }: Extract<Target, { kind: 'ingress' | 'gateway' }>,
): readonly AskedRequest[] | string {
  const key = `${namespace}/${name}`
  const all = new Map<string, unknown>(
    (kind === 'ingress' ? ingresses : gatewayApi.gateways).map((one) => [keyOf(one), one]),
  )
  if (!all.has(key))
    return `there is no ${kind === 'ingress' ? 'Ingress' : 'Gateway'} ${key}${nearest(name, keysIn(all, namespace))}`
  const ingress = ingresses.find((one) => kind === 'ingress' && keyOf(one) === key)
  const gateway = gatewayApi.gateways.find((one) => keyOf(one) === key)
  const requests =
    ingress !== undefined
      ? requestsOfIngress(ingress)
      : gateway === undefined
        ? []
        : requestsOfGateway(gatewayApi, gateway)
  if (requests.length > 0) return requests
  return ingress === undefined
    ? `gateway/${key} has no listener of HTTP or HTTPS to ask`
    : `ingress/${key} has no rules and no default backend`
}

async function examineService(
  cluster: Cluster,
  { namespace, name, port }: Extract<Target, { kind: 'service' }>,
  client: string | undefined,
  { path }: DoctorOptions,
): Promise<readonly Diagnosis[] | string> {
  const found = findEnd(cluster.snapshot, { kind: 'service', namespace, name })
  if (found.kind === 'unknown') return found.says
  const subjects = subjectsOf(cluster.snapshot, found.service!, {
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
  })
  if (typeof subjects === 'string') return subjects
  const diagnoses: Diagnosis[] = []
  for (const subject of subjects) {
    const own = client ?? findClient(cluster.snapshot, subject.service)
    diagnoses.push(diagnose(await collect(cluster, subject, standOf(cluster, own, client !== undefined))))
  }
  return diagnoses
}

function anyClient({ snapshot }: Cluster): string | undefined {
  return findClient(snapshot, undefined)
}

function standOf({ sight }: Cluster, client: string | undefined, named: boolean): Stand {
  return { client, named, outside: sight.outside, clusterDomain: 'cluster.local' }
}

function findNamedClient(
  { snapshot }: Cluster,
  { from, namespace }: DoctorOptions,
): { kind: 'pod'; key: string } | { kind: 'wrong'; says: string } | undefined {
  if (from === undefined) return undefined
  const end = parseEnd(from.includes('/') ? from : `pod/${from}`, namespace)
  if (typeof end === 'string' || end.kind !== 'pod') return { kind: 'wrong', says: `--from "${from}" is not pod/NAME` }
  const found = findEnd(snapshot, end)
  if (found.kind === 'unknown') return { kind: 'wrong', says: found.says }
  return found.pod === undefined ? undefined : { kind: 'pod', key: keyOf(found.pod) }
}
