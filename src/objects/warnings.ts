import type { Kind } from './contract.ts'
import { dns1123Label } from './names.ts'
import type { Container, KubeObject, Pod, PodSpec, PodTemplate, Service } from './types.ts'

/** What a client is told of an object that was stored all the same, in upstream's words (`GetWarningsForPod`, `GetWarningsForService`). */
export function warningsOf({ group, kind }: Pick<Kind, 'group' | 'kind'>, object: KubeObject): string[] {
  switch (`${group}/${kind}`) {
    case '/Pod':
      return podWarnings(object as Pod)
    case '/Service':
      return serviceWarnings(object as Service)
    case 'apps/DaemonSet':
    case 'apps/Deployment':
    case 'apps/ReplicaSet':
    case 'apps/StatefulSet':
    case 'batch/Job': {
      const { template } = (object as { spec?: { template?: PodTemplate } }).spec ?? {}
      return template?.spec === undefined ? [] : specWarnings(template.spec, 'spec.template.spec')
    }
    default:
      return []
  }
}

/** What every request for the old kind is told. */
export function deprecationOf({ group, kind }: Pick<Kind, 'group' | 'kind'>): string | undefined {
  if (group !== '' || kind !== 'Endpoints') return undefined
  return 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'
}

function podWarnings({ metadata, spec }: Pod): string[] {
  const wrong = dns1123Label(metadata.name)
  const why = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended"
  const named = wrong.length === 0 ? [] : [`metadata.name: ${why}: [${wrong.join(' ')}]`]
  return [...named, ...specWarnings(spec, 'spec')]
}

function specWarnings({ initContainers = [], containers }: PodSpec, path: string): string[] {
  const at = (list: string) => (container: Container, index: number) =>
    ({ container, path: `${path}.${list}[${index}]` }) as const
  const all = [...initContainers.map(at('initContainers')), ...containers.map(at('containers'))]
  const names = new Map<string, string>()
  return all.flatMap(({ container, path }) => [
    ...hiddenVariables(container, path),
    ...(container.ports ?? []).flatMap(({ name }, index) => {
      const here = `${path}.ports[${index}]`
      const other = name && names.get(name)
      if (name && !other) names.set(name, here)
      if (!other) return []
      const chosen = `services and probes that select ports by name will use ${other}`
      return [`${here}: duplicate port name ${JSON.stringify(name)} with ${other}, ${chosen}`]
    }),
  ])
}

function hiddenVariables({ env = [] }: Container, path: string): string[] {
  const seen = new Set<string>()
  return env.flatMap(({ name, value }, index) => {
    const hides = seen.has(name) && !value?.includes(`$(${name})`)
    seen.add(name)
    if (!hides) return []
    return [`${path}.env[${index}]: hides previous definition of "${name}", which may be dropped when using apply`]
  })
}

function serviceWarnings({ metadata, spec }: Service): string[] {
  const hints = 'service.kubernetes.io/topology-aware-hints'
  const { type = 'ClusterIP', clusterIP, loadBalancerIP, externalIPs = [], sessionAffinity, externalName } = spec
  const headless = type === 'ClusterIP' && clusterIP === 'None'
  const ignored = (field: string, applies: unknown) =>
    headless && applies ? [`spec.${field} is ignored for headless services`] : []
  const whenType = (field: string, words: string, applies: boolean) =>
    applies ? [`spec.${field} is ignored when spec.type is ${words}"ExternalName"`] : []
  return [
    ...(metadata.annotations?.[hints] === undefined
      ? []
      : [`annotation ${hints} is deprecated, please use service.kubernetes.io/topology-mode instead`]),
    ...ignored('loadBalancerIP', loadBalancerIP),
    ...ignored('externalIPs', externalIPs.length > 0),
    ...ignored('SessionAffinity', (sessionAffinity ?? 'None') !== 'None'),
    ...whenType('externalIPs', '', type === 'ExternalName' && externalIPs.length > 0),
    ...whenType('externalName', 'not ', type !== 'ExternalName' && !!externalName),
  ]
}
