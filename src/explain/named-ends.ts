import { findAddress } from '../addr/index.ts'
import type { End } from './answer.ts'
import { nearest } from './end.ts'
import type { Setting } from './setting.ts'

/** The ends that a name stands for; of a workload's pods, which are all alike, one for each node. */
export interface NamedEnds {
  readonly ends: readonly End[]
  /** Set where more nodes have pods of it than are asked. */
  readonly more: number
}

const most = 16
const kinds: Readonly<Record<string, string>> = {
  ...{ po: 'pod', pods: 'pod', svc: 'service', services: 'service', no: 'node', nodes: 'node' },
  ...{ deploy: 'deployment', deployments: 'deployment', sts: 'statefulset', statefulsets: 'statefulset' },
  ...{ ds: 'daemonset', daemonsets: 'daemonset', jobs: 'job', cj: 'cronjob', cronjobs: 'cronjob' },
  ...{ rs: 'replicaset', replicasets: 'replicaset', rc: 'replicationcontroller' },
}

/** `svc/shop/web` as steps say it: `service/shop/web`. */
export function fullKind(text: string): string {
  const [word = '', ...rest] = text.split('/')
  return [kinds[word] ?? word, ...rest].join('/')
}

/** Finds names in a setting again and again. */
export class EndFinder {
  readonly #setting: Setting
  /** Keys of pods by the name of their workload. */
  readonly #podsOf = new Map<string, string[]>()

  constructor(setting: Setting) {
    this.#setting = setting
    for (const [pod, workload] of setting.workloadOf) {
      const known = this.#podsOf.get(workload)
      if (known === undefined) this.#podsOf.set(workload, [pod])
      else known.push(pod)
    }
  }

  /** `KIND/NAMESPACE/NAME`, `KIND/NAME` where one namespace alone has it, `node/NAME` or an address; a text says what is wrong, with the nearest names. */
  find(text: string): NamedEnds | string {
    const address = findAddress(text)
    if (address !== undefined) return { ends: [{ kind: 'address', address }], more: 0 }
    const [word = '', ...rest] = text.split('/')
    const kind = kinds[word] ?? word
    if (rest.length < 1 || rest.length > 2 || rest.some((one) => one === ''))
      return `"${text}" is neither KIND/NAMESPACE/NAME nor an address`
    if (kind === 'node') return this.#findNode(rest.join('/'))
    const names = this.#namesOf(kind)
    const wanted =
      rest.length === 2
        ? names.filter((one) => one === rest.join('/'))
        : names.filter((one) => one.endsWith(`/${rest[0]}`))
    const [only] = wanted
    if (wanted.length > 1)
      return `"${text}" is ambiguous; say which: ${wanted
        .slice(0, 6)
        .map((one) => `${kind}/${one}`)
        .join(', ')}`
    if (only === undefined) {
      const near = names.length === 0 ? `; there is no ${kind} at all` : nearest(rest.join('/'), names)
      return `there is no ${kind}/${rest.join('/')}${near}`
    }
    const [namespace = '', name = ''] = only.split('/')
    if (kind === 'service') return { ends: [{ kind, namespace, name }], more: 0 }
    return this.#placesOf(this.#podsOf.get(`${kind}/${only}`) ?? [only])
  }

  #findNode(name: string): NamedEnds | string {
    const { nodes } = this.#setting.snapshot
    if (nodes.has(name)) return { ends: [{ kind: 'node', name }], more: 0 }
    return `there is no node/${name}${nearest(name, [...nodes.keys()])}`
  }

  /** `namespace/name` of all of a kind. */
  #namesOf(kind: string): readonly string[] {
    const { pods, services } = this.#setting.snapshot
    if (kind === 'service') return [...services.keys()]
    const own = [...this.#podsOf.keys()].flatMap((one) =>
      one.startsWith(`${kind}/`) ? one.slice(kind.length + 1) : [],
    )
    return kind === 'pod' ? [...new Set([...pods.keys(), ...own])] : own
  }

  #placesOf(keys: readonly string[]): NamedEnds {
    const { pods } = this.#setting.snapshot
    const byNode = new Map<string, string>()
    for (const key of keys) {
      const node = pods.get(key)?.spec.nodeName ?? ''
      if (!byNode.has(node)) byNode.set(node, key)
    }
    const ends = [...byNode.values()].slice(0, most).map((key): End => {
      const [namespace = '', name = ''] = key.split('/')
      return { kind: 'pod', namespace, name }
    })
    return { ends, more: byNode.size - ends.length }
  }
}
