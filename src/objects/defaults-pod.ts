import type { Container, Pod, PodSpec, PodTemplate, Probe } from './types.ts'

/** Fields of a container that are defaulted and not otherwise read. */
interface FullContainer extends Container {
  imagePullPolicy?: string
  terminationMessagePath?: string
  terminationMessagePolicy?: string
  resources?: { limits?: Record<string, unknown>; requests?: Record<string, unknown> }
  lifecycle?: { postStart?: Probe; preStop?: Probe }
}

interface Volume {
  name: string
  emptyDir?: object
  configMap?: { defaultMode?: number }
  secret?: { defaultMode?: number }
  downwardAPI?: { defaultMode?: number }
  projected?: { defaultMode?: number; sources?: { serviceAccountToken?: { expirationSeconds?: number } }[] }
  hostPath?: { type?: string }
}

interface FullSpec extends PodSpec {
  securityContext?: object
  volumes?: Volume[]
  serviceAccount?: string
  ephemeralContainers?: FullContainer[]
}

/** Octal 0644, as the API writes file modes. */
const fileMode = 0o644

/** Upstream's `SetDefaults_Pod`: what templates of pods do not get, and then what they do. */
export function defaultPod(pod: Pod): void {
  pod.spec ??= { containers: [] }
  const spec = pod.spec as FullSpec
  spec.enableServiceLinks ??= true
  defaultPodSpec(spec)
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])] as FullContainer[]) {
    // A limit without a request asks for the limit.
    const { limits, requests } = container.resources ?? {}
    if (limits !== undefined) container.resources = { ...container.resources, requests: { ...limits, ...requests } }
    if (spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ||= port.containerPort
  }
}

/** Upstream's defaults of a template in a workload. */
export function defaultTemplate(template: PodTemplate | undefined): void {
  if (template?.spec !== undefined) defaultPodSpec(template.spec)
}

/** Upstream's `SetDefaults_PodSpec` and what it embeds. Tolerations and the service account belong to admission. */
export function defaultPodSpec(given: PodSpec): void {
  const spec = given as FullSpec
  spec.restartPolicy ||= 'Always'
  spec.dnsPolicy ||= 'ClusterFirst'
  spec.securityContext ??= {}
  spec.terminationGracePeriodSeconds ??= 30
  spec.schedulerName ||= 'default-scheduler'
  // The deprecated alias mirrors the name both ways.
  if (spec.serviceAccountName || spec.serviceAccount) {
    spec.serviceAccountName ||= spec.serviceAccount
    spec.serviceAccount = spec.serviceAccountName
  }
  for (const volume of spec.volumes ?? []) defaultVolume(volume)
  for (const container of [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ])
    defaultContainer(container)
}

function defaultContainer(container: FullContainer): void {
  container.imagePullPolicy ||= isLatest(container.image ?? '') ? 'Always' : 'IfNotPresent'
  container.terminationMessagePath ||= '/dev/termination-log'
  container.terminationMessagePolicy ||= 'File'
  container.resources ??= {}
  for (const port of container.ports ?? []) port.protocol ||= 'TCP'
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe !== undefined) defaultProbe(probe)
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop]) defaultHandler(handler)
  for (const variable of container.env ?? []) {
    const reference = variable.valueFrom?.fieldRef as { apiVersion?: string } | undefined
    if (reference !== undefined) reference.apiVersion ||= 'v1'
  }
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1
  probe.periodSeconds ||= 10
  probe.successThreshold ||= 1
  probe.failureThreshold ||= 3
  defaultHandler(probe)
  if (probe.grpc !== undefined) probe.grpc.service ??= ''
}

function defaultHandler(handler: Probe | undefined): void {
  if (handler?.httpGet === undefined) return
  handler.httpGet.path ||= '/'
  handler.httpGet.scheme ||= 'HTTP'
}

function defaultVolume(volume: Volume): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name')
  if (sources.length === 0) volume.emptyDir = {}
  for (const source of [volume.configMap, volume.secret, volume.downwardAPI, volume.projected])
    if (source !== undefined) source.defaultMode ??= fileMode
  for (const { serviceAccountToken } of volume.projected?.sources ?? [])
    if (serviceAccountToken !== undefined) serviceAccountToken.expirationSeconds ??= 3600
  if (volume.hostPath !== undefined) volume.hostPath.type ??= ''
}

/** An image without a tag, or with the tag `latest`; a digest pins it. */
function isLatest(image: string): boolean {
  if (image.includes('@')) return false
  const tag = /:([^/:]+)$/.exec(image)?.[1]
  return tag === undefined || tag === 'latest'
}
