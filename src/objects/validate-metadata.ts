import { Buffer } from 'node:buffer'
import type { FieldError } from './contract.ts'
import { forbidden, immutable, invalid, required, tooLong } from './field-error.ts'
import {
  dns1035Label,
  dns1123Label,
  dns1123Subdomain,
  labelValueRule,
  pathSegment,
  qualifiedNameRule,
  type TextRule,
} from './names.ts'
import { sameMeaning } from './same-meaning.ts'
import type { KubeObject, ObjectMeta } from './types.ts'

/** Which names a kind takes. */
export type NameRule = 'subdomain' | 'label' | 'dns1035' | 'segment' | 'address'

const rules: Readonly<Record<NameRule, TextRule>> = {
  subdomain: dns1123Subdomain,
  label: dns1123Label,
  dns1035: dns1035Label,
  segment: pathSegment,
  // The kind's own validation reads it.
  address: () => [],
}

/** All annotations of an object together may have this many bytes. */
const annotationsLimit = 256 * 1024

/** Upstream's `ValidateObjectMeta` and `ValidateObjectMetaUpdate`. */
export function validateMetadata(
  object: KubeObject,
  old: KubeObject | undefined,
  namespaced: boolean,
  rule: NameRule,
): FieldError[] {
  const { metadata } = object
  const errors = [
    ...validateName(metadata, rules[rule]),
    ...validateNamespace(metadata, namespaced),
    ...validateLabels(metadata.labels, 'metadata.labels'),
    ...validateAnnotations(metadata.annotations, 'metadata.annotations'),
    ...validateOwners(metadata),
    ...validateFinalizers(metadata),
  ]
  if (old !== undefined) errors.push(...validateUpdate(metadata, old.metadata))
  return errors
}

function validateName(metadata: ObjectMeta, rule: TextRule): FieldError[] {
  const { name, generateName } = metadata
  const errors: FieldError[] = []
  // A generated name ends in five characters of the server's, so the prefix is checked as if it went on.
  if (generateName) {
    const stem = rule === pathSegment ? generateName : generateName.replace(/-$/, 'a')
    errors.push(...rule(stem).map((problem) => invalid('metadata.generateName', generateName, problem)))
  }
  if (name) errors.push(...rule(name).map((problem) => invalid('metadata.name', name, problem)))
  else errors.push(required('metadata.name', 'name or generateName is required'))
  return errors
}

function validateNamespace({ namespace }: ObjectMeta, namespaced: boolean): FieldError[] {
  if (!namespaced) return namespace ? [forbidden('metadata.namespace', 'not allowed on this type')] : []
  if (!namespace) return [required('metadata.namespace')]
  return dns1123Label(namespace).map((problem) => invalid('metadata.namespace', namespace, problem))
}

/** Labels under `path`: qualified keys, short values. */
export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [key, value] of Object.entries(labels ?? {})) {
    errors.push(...qualifiedNameRule(key).map((problem) => invalid(path, key, problem)))
    errors.push(...labelValueRule(value).map((problem) => invalid(path, value, problem)))
  }
  return errors
}

/** Annotations under `path`: qualified keys, 256 KiB in all. */
export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
): FieldError[] {
  const errors: FieldError[] = []
  let bytes = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    errors.push(...qualifiedNameRule(key.toLowerCase()).map((problem) => invalid(path, key, problem)))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (bytes > annotationsLimit) errors.push(tooLong(path, annotationsLimit))
  return errors
}

function validateOwners({ ownerReferences = [] }: ObjectMeta): FieldError[] {
  const path = 'metadata.ownerReferences'
  const errors: FieldError[] = []
  let controller: string | undefined
  for (const owner of ownerReferences) {
    const { apiVersion = '', kind = '', name = '', uid = '' } = owner
    const version = apiVersion.slice(apiVersion.indexOf('/') + 1)
    if (version === '') errors.push(invalid(`${path}.apiVersion`, apiVersion, 'version must not be empty'))
    if (kind === '') errors.push(invalid(`${path}.kind`, kind, 'must not be empty'))
    if (name === '') errors.push(invalid(`${path}.name`, name, 'must not be empty'))
    if (uid === '') errors.push(invalid(`${path}.uid`, uid, 'must not be empty'))
    if (apiVersion === 'v1' && kind === 'Event')
      errors.push(invalid(path, owner, '/v1, Kind=Event is disallowed from being an owner'))
    if (!owner.controller) continue
    if (controller === undefined) controller = `${kind}/${name}`
    else
      errors.push(
        invalid(
          path,
          ownerReferences,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${kind}/${name}`,
        ),
      )
  }
  return errors
}

/** The last one is the API server's own, on CustomResourceDefinitions. */
const standardFinalizers = new Set([
  'kubernetes',
  'orphan',
  'foregroundDeletion',
  'customresourcecleanup.apiextensions.k8s.io',
])

function validateFinalizers({ finalizers = [] }: ObjectMeta): FieldError[] {
  const path = 'metadata.finalizers'
  const errors = finalizers.flatMap((name) => {
    const problems = qualifiedNameRule(name).map((problem) => invalid(path, name, problem))
    if (problems.length > 0 || name.includes('/') || standardFinalizers.has(name)) return problems
    return [invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified')]
  })
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'))
  return errors
}

function validateUpdate(metadata: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = []
  const fixed = [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const
  for (const key of fixed)
    if (!sameMeaning(metadata[key], old[key])) errors.push(immutable(`metadata.${key}`, metadata[key]))
  if ((metadata.generation ?? 0) < (old.generation ?? 0))
    errors.push(invalid('metadata.generation', metadata.generation ?? 0, 'must not be decremented'))
  if (metadata.deletionTimestamp !== undefined) {
    const known = new Set(old.finalizers)
    const added = (metadata.finalizers ?? []).filter((name) => !known.has(name))
    if (added.length > 0)
      errors.push(
        forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
        ),
      )
  }
  return errors
}
