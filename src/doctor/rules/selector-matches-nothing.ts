import { keyOf } from '../../cluster/index.ts'
import { hasSelectedEndpoints, selects } from '../../endpoints/index.ts'
import { nearestPods } from '../../explain/index.ts'
import type { Rule } from '../cause.ts'
import { patchService, serviceOf } from '../words.ts'

/** The selector takes no pod, so the Service has nothing to offer. Twin: slices that exist but hold nothing ready. */
export const selectorMatchesNothing: Rule = {
  covers: ['1'],
  judge({ snapshot, subject }) {
    const { service } = subject
    if (!hasSelectedEndpoints(service)) return []
    const pods = [...snapshot.pods.values()].filter(({ metadata }) => metadata.namespace === service.metadata.namespace)
    if (pods.some((pod) => selects(service, pod))) return []
    const selector = service.spec.selector ?? {}
    const text = Object.entries(selector)
      .map(([key, value]) => `${key}=${value}`)
      .join(',')
    const near = nearestPods(service, pods)[0]
    const labels = near?.metadata.labels ?? {}
    const changed = Object.fromEntries(
      Object.entries(selector).flatMap(([key, value]) => {
        const has = Object.hasOwn(labels, key) ? labels[key] : undefined
        return has === value ? [] : [[key, has ?? null]]
      }),
    )
    const nearText =
      near === undefined
        ? ''
        : `; pod/${keyOf(near)} comes nearest with ${Object.keys(selector)
            .filter((key) => Object.hasOwn(labels, key))
            .map((key) => `${key}=${labels[key]}`)
            .join(',')}`
    return [
      {
        confidence: 'certain',
        object: serviceOf(subject),
        field: 'spec.selector',
        value: text,
        says: `the selector ${text} matches none of the ${pods.length} pods of namespace ${service.metadata.namespace}${nearText}`,
        proof: [`${pods.length} pods looked at, 0 selected`],
        twin: 'a Service whose pods are selected but not ready: there the slices list endpoints',
        fix:
          near === undefined
            ? { says: `run pods with the labels ${text}, or correct the selector` }
            : {
                says: `select what pod/${keyOf(near)} has`,
                patch: patchService(subject, { spec: { selector: changed } }),
              },
        rung: 'cluster-ip',
      },
    ]
  },
}
