import { connect } from '../client/index.ts'
import { keyOf } from '../cluster/index.ts'
import { type ConfigMap, convertIngresses, isIngress } from '../gateways/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import { exit, print, say } from './output.ts'
import { pages } from './read-kinds.ts'

const ingresses = { group: 'networking.k8s.io', version: 'v1', plural: 'ingresses', namespaced: true, kind: 'Ingress' }
const configMaps = { group: '', version: 'v1', plural: 'configmaps', namespaced: true, kind: 'ConfigMap' }
const services = { group: '', version: 'v1', plural: 'services', namespaced: true, kind: 'Service' }

/** `plumb ingress convert`: Gateway API YAML on standard output, the report on standard error; exit status 1 when something is lost. */
export async function runConvert(options: {
  name: string
  kubeconfig?: string
  filename: string[]
  namespace: string
  allNamespaces: boolean
  gateway: string
  gatewayClass: string
}): Promise<void> {
  const objects = options.filename.length > 0 ? await readManifests(options.filename) : await readObjects(options)
  if (objects === undefined) return
  const wanted = objects.filter(isIngress)
  if (wanted.length === 0) {
    say('plumb ingress convert: there is no Ingress')
    process.exitCode = exit.found
    return
  }
  const known = objects.filter(({ kind }) => kind === 'Service') as Service[]
  const [name = '', namespace = wanted[0]!.metadata.namespace ?? 'default'] = options.gateway.split('/').reverse()
  const to = { namespace, name, gatewayClass: options.gatewayClass }
  const headers = objects.filter(({ kind }) => kind === 'ConfigMap') as ConfigMap[]
  const byKey = <T extends KubeObject>(all: readonly T[]) => new Map(all.map((one) => [keyOf(one), one]))
  const { objects: made, notes } = convertIngresses(wanted, byKey(known), byKey(headers), to)
  const { stringify } = await import('yaml')
  if (made.length > 0) print(made.map((one) => stringify(one, { aliasDuplicateObjects: false })).join('---\n'))
  for (const kind of ['lost', 'changed'] as const)
    for (const { object, field, says, try: remedy, kind: own } of notes)
      if (own === kind) say(`${kind === 'lost' ? '✗ lost' : '~ changed'}  ${object} ${field}: ${says} (${remedy})`)
  const count = (kind: string): number => notes.filter((one) => one.kind === kind).length
  say(
    `${wanted.length} Ingresses: ${made.length} objects, ${count('changed')} changes of meaning, ${count('lost')} losses`,
  )
  if (count('lost') > 0) process.exitCode = exit.found
}

/** Manifests may leave the namespace to whoever applies them. */
async function readManifests(paths: readonly string[]): Promise<KubeObject[]> {
  const { readManifestPaths } = await import('../lab/index.ts')
  return readManifestPaths(paths).map(({ object }) => ({
    ...object,
    metadata: { ...object.metadata, namespace: object.metadata.namespace ?? 'default' },
  }))
}

async function readObjects(options: {
  name: string
  kubeconfig?: string
  namespace: string
  allNamespaces: boolean
}): Promise<KubeObject[] | undefined> {
  const { findLab } = await import('../lab/index.ts')
  const kubeconfig = options.kubeconfig ?? (await findLab(options.name))?.state.kubeconfig
  if (kubeconfig === undefined) {
    say('plumb ingress convert: say which manifests with -f, or which cluster with --kubeconfig')
    process.exitCode = exit.cannot
    return undefined
  }
  const client = connect({ kubeconfig, userAgent: 'plumb-ingress-convert' })
  try {
    const found: KubeObject[] = []
    for (const resource of [ingresses, services, configMaps])
      for await (const object of pages(client, resource)) found.push({ ...object, kind: resource.kind } as KubeObject)
    return options.allNamespaces
      ? found
      : found.filter(({ kind, metadata }) => kind !== 'Ingress' || metadata.namespace === options.namespace)
  } finally {
    client.close()
  }
}
