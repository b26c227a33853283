import type { FieldError } from './contract.ts'
import { absent, duplicate, forbidden } from './field-error.ts'
import { sameMeaning } from './same-meaning.ts'
import type { EphemeralContainer, Pod, PodSpec } from './types.ts'
import { type PodScope, validateContainers } from './validate-container.ts'

const path = 'spec.ephemeralContainers'

// Upstream's allowedEphemeralContainerFields, turned around: what a debugger has no use for.
const refused = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'restartPolicy',
  'resizePolicy',
] as const

/** Upstream's `validateEphemeralContainers`: names are unique in the pod, and a target is one of its containers. */
export function validateEphemeralContainers(spec: PodSpec, scope: PodScope): FieldError[] {
  const { ephemeralContainers = [], containers = [], initContainers = [] } = spec
  const errors = validateContainers(ephemeralContainers, path, scope, false)
  const names = new Set(containers.map(({ name }) => name))
  const taken = new Set([...names, ...initContainers.map(({ name }) => name)])
  for (const [index, container] of ephemeralContainers.entries()) {
    const at = `${path}[${index}]`
    if (taken.has(container.name)) errors.push(duplicate(`${at}.name`, container.name))
    const { targetContainerName: target } = container
    if (target && !names.has(target)) errors.push(absent(`${at}.targetContainerName`, target))
    errors.push(...refusedFields(container, at))
  }
  return errors
}

function refusedFields(container: EphemeralContainer, at: string): FieldError[] {
  const fields = container as unknown as Record<string, unknown>
  const given = refused.filter((name) => fields[name] !== undefined)
  const errors = given.map((name) => forbidden(`${at}.${name}`, 'cannot be set for an Ephemeral Container'))
  // Defaulting leaves an empty object.
  if (Object.keys((fields.resources as object) ?? {}).length > 0)
    errors.push(forbidden(`${at}.resources`, 'cannot be set for an Ephemeral Container'))
  return errors
}

/** Upstream's `ValidatePodEphemeralContainersUpdate`: what is there stays as it is. */
export function validateEphemeralChange(pod: Pod, old: Pod): FieldError[] {
  const now = new Map((pod.spec.ephemeralContainers ?? []).map((container) => [container.name, container]))
  return (old.spec.ephemeralContainers ?? []).flatMap((before) => {
    const container = now.get(before.name)
    if (container === undefined)
      return [forbidden(path, `existing ephemeral containers "${before.name}" may not be removed\n`)]
    if (sameMeaning(container, before)) return []
    return [forbidden(path, `existing ephemeral containers "${before.name}" may not be changed\n`)]
  })
}
