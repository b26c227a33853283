import type { FieldError } from './contract.ts'
import { complaints, invalid, notSupported, required } from './field-error.ts'
import { configMapKey, dns1123Subdomain, envVarName, qualifiedNameRule } from './names.ts'
import type { Container, EnvVar } from './types.ts'

const fieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

/** Environment variables of a container. */
export function validateEnv({ env = [], envFrom = [] }: Container, path: string): FieldError[] {
  return [
    ...env.flatMap((variable, index) => validateVariable(variable, `${path}.env[${index}]`)),
    ...envFrom.flatMap((source, index) => {
      const at = `${path}.envFrom[${index}]`
      const given = [source.configMapRef, source.secretRef].filter((reference) => reference !== undefined)
      const errors = source.prefix ? complaints(`${at}.prefix`, source.prefix, envVarName(source.prefix)) : []
      if (given.length === 0) errors.push(invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`'))
      if (given.length > 1) errors.push(invalid(at, '', 'may not have more than one field specified at a time'))
      const name = source.configMapRef === undefined ? 'secretRef' : 'configMapRef'
      if (given.length === 1) errors.push(...validateReference(given[0]?.name, `${at}.${name}.name`))
      return errors
    }),
  ]
}

function validateReference(name: string | undefined, field: string): FieldError[] {
  return name ? complaints(field, name, dns1123Subdomain(name)) : [required(field)]
}

function validateVariable({ name, value, valueFrom }: EnvVar, path: string): FieldError[] {
  const errors = name ? complaints(`${path}.name`, name, envVarName(name)) : [required(`${path}.name`)]
  if (valueFrom === undefined) return errors
  const at = `${path}.valueFrom`
  const given = Object.keys(valueFrom)
  if (given.length === 0)
    errors.push(
      invalid(at, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'),
    )
  else if (value) errors.push(invalid(at, '', 'may not be specified when `value` is not empty'))
  else if (given.length > 1) errors.push(invalid(at, '', 'may not have more than one field specified at a time'))
  const { fieldRef, configMapKeyRef, secretKeyRef } = valueFrom
  if (fieldRef !== undefined) errors.push(...validateFieldPath(fieldRef.fieldPath, `${at}.fieldRef.fieldPath`))
  for (const [kind, reference] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (reference === undefined) continue
    errors.push(...validateReference(reference.name, `${at}.${kind}.name`))
    if (!reference.key) errors.push(required(`${at}.${kind}.key`))
    else errors.push(...complaints(`${at}.${kind}.key`, reference.key, configMapKey(reference.key)))
  }
  return errors
}

function validateFieldPath(fieldPath: string | undefined, field: string): FieldError[] {
  if (!fieldPath) return [required(field)]
  const subscript = /^metadata\.(?:labels|annotations)\['(.*)'\]$/.exec(fieldPath)?.[1]
  if (subscript !== undefined) return complaints(field, subscript, qualifiedNameRule(subscript.toLowerCase()))
  return fieldPaths.includes(fieldPath) ? [] : [notSupported(field, fieldPath, fieldPaths)]
}
