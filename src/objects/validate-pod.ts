import type { FieldError } from './contract.ts'
import { complaints, duplicate, forbidden, invalid, nonNegative, notSupported, required } from './field-error.ts'
import { validateAddress } from './ip-rules.ts'
import { dns1123Label, dns1123Subdomain, inRange, qualifiedNameRule } from './names.ts'
import { sameMeaning } from './same-meaning.ts'
import type { Pod, PodSpec } from './types.ts'
import { type PodScope, validateContainers, validateHostPorts } from './validate-container.ts'
import { validateEphemeralChange, validateEphemeralContainers } from './validate-ephemeral.ts'
import { validateLabels } from './validate-metadata.ts'
import { validatePodDns } from './validate-pod-dns.ts'

/** A pod's spec with the fields that only validation reads. */
interface FullSpec extends PodSpec {
  volumes?: ({ name?: string } & Partial<Record<string, unknown>>)[]
  activeDeadlineSeconds?: number
  schedulingGates?: { name: string }[]
}

const restartPolicies = ['Always', 'Never', 'OnFailure']

/** Upstream's `ValidatePod` and `ValidatePodUpdate`, metadata aside. A binding may set the node name. */
export function validatePod(pod: Pod, old: Pod | undefined, subresource?: string): FieldError[] {
  const errors = validatePodSpec(pod.spec, 'spec')
  if (old === undefined && pod.spec.ephemeralContainers !== undefined)
    errors.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'))
  if (old !== undefined && subresource === 'ephemeralcontainers')
    return [...errors, ...validateEphemeralChange(pod, old)]
  if (old === undefined || subresource !== undefined) return errors
  return [...errors, ...validateChange(pod, old)]
}

/** Upstream's `ValidatePodSpec`, for pods (`spec`) and templates (`spec.template.spec`); `more` are volumes besides the spec's own. */
export function validatePodSpec(given: PodSpec, path: string, more: readonly string[] = []): FieldError[] {
  const spec = given as FullSpec
  const { containers = [], initContainers = [], restartPolicy } = spec
  const errors: FieldError[] = []
  const scope: PodScope = {
    volumes: new Set([...more, ...(spec.volumes ?? []).map((volume) => volume.name ?? '')]),
    hostNetwork: spec.hostNetwork === true,
  }
  errors.push(...validateVolumes(spec, `${path}.volumes`))
  if (containers.length === 0) errors.push(required(`${path}.containers`))
  errors.push(...validateContainers(containers, `${path}.containers`, scope, false))
  errors.push(...validateContainers(initContainers, `${path}.initContainers`, scope, true))
  errors.push(...validateEphemeralContainers(spec, scope))
  errors.push(...validateHostPorts(containers, `${path}.containers`))
  const names = new Set(containers.map((container) => container.name))
  for (const [index, { name }] of initContainers.entries())
    if (names.has(name)) errors.push(duplicate(`${path}.initContainers[${index}].name`, name))
  if (!restartPolicy) errors.push(required(`${path}.restartPolicy`))
  else if (!restartPolicies.includes(restartPolicy))
    errors.push(notSupported(`${path}.restartPolicy`, restartPolicy, restartPolicies))
  return [...errors, ...validatePodDns(spec, path), ...validatePlacement(spec, path), ...validateTimes(spec, path)]
}

function validateVolumes({ volumes = [] }: FullSpec, path: string): FieldError[] {
  const names = new Set<string>()
  return volumes.flatMap((volume, index) => {
    const at = `${path}[${index}]`
    const { name } = volume
    const errors = name ? complaints(`${at}.name`, name, dns1123Label(name)) : [required(`${at}.name`)]
    if (name && names.has(name)) errors.push(duplicate(`${at}.name`, name))
    names.add(name ?? '')
    const sources = Object.keys(volume).filter((key) => key !== 'name')
    if (sources.length === 0) errors.push(required(at, 'must specify a volume type'))
    errors.push(...validateVolumeSource(volume, at))
    for (const source of sources.slice(1))
      errors.push(forbidden(`${at}.${source}`, 'may not specify more than 1 volume type'))
    return errors
  })
}

// Which field of a volume's source must not be empty.
const sourceFields = {
  configMap: 'name',
  secret: 'secretName',
  persistentVolumeClaim: 'claimName',
  hostPath: 'path',
}

function validateVolumeSource(volume: Readonly<Partial<Record<string, unknown>>>, path: string): FieldError[] {
  return Object.entries(sourceFields).flatMap(([source, field]) => {
    const given = volume[source] as Partial<Record<string, unknown>> | undefined
    return given === undefined || given[field] ? [] : [required(`${path}.${source}.${field}`)]
  })
}

function validatePlacement(spec: FullSpec, path: string): FieldError[] {
  const { nodeName, nodeSelector, tolerations = [], serviceAccountName, readinessGates = [] } = spec
  const errors = validateLabels(nodeSelector, `${path}.nodeSelector`)
  if (nodeName) errors.push(...complaints(`${path}.nodeName`, nodeName, dns1123Subdomain(nodeName)))
  if (serviceAccountName)
    errors.push(...complaints(`${path}.serviceAccountName`, serviceAccountName, dns1123Subdomain(serviceAccountName)))
  for (const [index, { conditionType }] of readinessGates.entries())
    errors.push(
      ...complaints(`${path}.readinessGates[${index}].conditionType`, conditionType, qualifiedNameRule(conditionType)),
    )
  const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']
  for (const [index, { key, operator, value, effect, tolerationSeconds }] of tolerations.entries()) {
    const at = `${path}.tolerations[${index}]`
    if (key) errors.push(...complaints(`${at}.key`, key, qualifiedNameRule(key)))
    else if (operator !== 'Exists')
      errors.push(
        invalid(
          `${at}.operator`,
          operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      )
    if (operator === 'Exists' && value)
      errors.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"))
    if (operator && !['Equal', 'Exists', 'Gt', 'Lt'].includes(operator))
      errors.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists']))
    if (effect && !effects.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, effects))
    if (tolerationSeconds !== undefined && effect !== 'NoExecute')
      errors.push(invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"))
  }
  return errors
}

function validateTimes(spec: FullSpec, path: string): FieldError[] {
  const errors = nonNegative(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds)
  const { activeDeadlineSeconds, hostAliases = [], hostname, subdomain } = spec
  if (activeDeadlineSeconds !== undefined)
    errors.push(
      ...complaints(
        `${path}.activeDeadlineSeconds`,
        activeDeadlineSeconds,
        inRange(activeDeadlineSeconds, 1, 2147483647),
      ),
    )
  if (hostname) errors.push(...complaints(`${path}.hostname`, hostname, dns1123Label(hostname)))
  if (subdomain) errors.push(...complaints(`${path}.subdomain`, subdomain, dns1123Label(subdomain)))
  for (const [index, { ip, hostnames = [] }] of hostAliases.entries()) {
    const at = `${path}.hostAliases[${index}]`
    errors.push(...validateAddress(`${at}.ip`, ip ?? ''))
    errors.push(...hostnames.flatMap((name) => complaints(`${at}.hostnames`, name, dns1123Subdomain(name))))
  }
  return errors
}

const mutable =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

function validateChange(pod: Pod, old: Pod): FieldError[] {
  for (const list of ['containers', 'initContainers'] as const)
    if ((pod.spec[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0))
      return [forbidden(`spec.${list}`, 'pod updates may not add or remove containers')]
  const errors: FieldError[] = []
  const before = (old.spec as FullSpec).activeDeadlineSeconds
  const now = (pod.spec as FullSpec).activeDeadlineSeconds
  if (before !== undefined && now === undefined)
    errors.push(invalid('spec.activeDeadlineSeconds', null, 'must not update from a positive integer to nil value'))
  else if (before !== undefined && now !== undefined && now > before)
    errors.push(invalid('spec.activeDeadlineSeconds', now, `must be less than or equal to previous value`))
  errors.push(...validateGates(pod.spec, old.spec))
  if (!sameMeaning(fixedPart(pod.spec, old.spec), fixedPart(old.spec, old.spec)))
    errors.push(forbidden('spec', mutable))
  for (const toleration of old.spec.tolerations ?? [])
    if (
      !pod.spec.tolerations?.some((item) =>
        sameMeaning({ ...item, tolerationSeconds: toleration.tolerationSeconds }, toleration),
      )
    )
      return [
        ...errors,
        forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
      ]
  return errors
}

/** Gates may go one by one; while there are some, a node selector may grow (KEP-3521, KEP-3838). */
function validateGates(spec: FullSpec, old: FullSpec): FieldError[] {
  const known = new Set(old.schedulingGates?.map(({ name }) => name))
  const errors = (spec.schedulingGates ?? [])
    .filter(({ name }) => !known.has(name))
    .map(({ name }) =>
      forbidden('spec.schedulingGates', `only deletion is allowed, but found new scheduling gate '${name}'`),
    )
  const { nodeSelector = {} } = spec
  const kept = Object.entries(old.nodeSelector ?? {}).every(([key, value]) => nodeSelector[key] === value)
  if (known.size > 0 && !kept)
    errors.push(invalid('spec.nodeSelector', nodeSelector, 'only additions are allowed (no mutations or deletions)'))
  return errors
}

/** The spec without what an update of a pod that was `old` may change. */
function fixedPart(spec: FullSpec, old: FullSpec): unknown {
  const { activeDeadlineSeconds: _deadline, tolerations: _tolerations, schedulingGates: _gates, ...kept } = spec
  const { nodeSelector: _selector, ...free } = kept
  const rest = old.schedulingGates?.length ? free : kept
  const withoutImage = (containers: PodSpec['containers'] | undefined) =>
    containers?.map(({ image: _image, ...container }) => container)
  return {
    ...rest,
    containers: withoutImage(spec.containers),
    initContainers: withoutImage(spec.initContainers),
  }
}
