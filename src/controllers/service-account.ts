import { ApiError, type Resource } from '../client/index.ts'
import {
  type ConfigMap,
  ConfigMaps,
  type KubeObject,
  type Namespace,
  Namespaces,
  type ServiceAccount,
  ServiceAccounts,
} from '../objects/index.ts'
import type { Context } from './context.ts'
import { isTerminating } from './pod-writes.ts'

/** Keeps a ServiceAccount `default` in every namespace; pods need it to be admitted. */
export function serviceAccountController(context: Context): void {
  const accounts = context.informer<ServiceAccount>(ServiceAccounts)
  keepInEveryNamespace<ServiceAccount>(context, 'serviceaccount', ServiceAccounts, 'default', {
    find: (key) => accounts.get(key),
    follow: (onChange) => accounts.onChange((old, current) => onChange(old ?? current)),
    wanted: (namespace) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } }),
    correct: () => undefined,
  })
}

/** Keeps the cluster's certificate authority in every namespace, where pods mount it from. */
export function rootCaController(context: Context): void {
  const { clusterCa } = context.options
  if (clusterCa === undefined) return
  const name = 'kube-root-ca.crt'
  const annotations = {
    'kubernetes.io/description':
      'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
  }
  const data = { 'ca.crt': clusterCa }
  const configMaps = context.informer<ConfigMap>(ConfigMaps)
  keepInEveryNamespace<ConfigMap>(context, 'root-ca', ConfigMaps, name, {
    find: (key) => configMaps.get(key),
    follow: (onChange) => configMaps.onChange((old, current) => onChange(old ?? current)),
    wanted: (namespace) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, annotations }, data }),
    correct: (live) => (live.data?.['ca.crt'] === clusterCa ? undefined : { ...live, data }),
  })
}

interface Kept<T extends KubeObject> {
  readonly find: (key: string) => T | undefined
  readonly follow: (onChange: (object: T | undefined) => void) => () => void
  readonly wanted: (namespace: string) => T
  /** The object as it should be, or undefined when it is. */
  readonly correct: (live: T) => T | undefined
}

function keepInEveryNamespace<T extends KubeObject>(
  context: Context,
  queueName: string,
  resource: Resource,
  name: string,
  kept: Kept<T>,
): void {
  const namespaces = context.informer<Namespace>(Namespaces)
  const queue = context.queue({
    name: queueName,
    async work(namespace) {
      const owner = namespaces.get(namespace)
      if (owner === undefined || owner.metadata.deletionTimestamp !== undefined) return
      const live = kept.find(`${namespace}/${name}`)
      const corrected = live && kept.correct(live)
      if (corrected !== undefined) await context.client.update(resource, corrected)
      if (live !== undefined) return
      await context.client.create(resource, kept.wanted(namespace)).catch((error) => {
        if (isTerminating(error) || (error instanceof ApiError && error.reason === 'AlreadyExists')) return
        throw error
      })
    },
  })
  context.onClose(namespaces.onChange((_, __, key) => queue.add(key)))
  context.onClose(
    kept.follow((object) => {
      if (object?.metadata.name === name) queue.add(object.metadata.namespace ?? '')
    }),
  )
}
