import { keyOf } from '../../cluster/index.ts'
import type { Pod } from '../../objects/index.ts'
import type { Rule } from '../cause.ts'
import { inPod } from '../examination.ts'
import { findBad } from '../probe.ts'
import type { Backend } from '../subject.ts'
import { patchService, proofOf, serviceOf } from '../words.ts'

/** The selector takes pods that were never meant to serve: they do not declare the port, refuse it, and differ in labels from those that do. */
export const selectorTooWide: Rule = {
  covers: ['2'],
  judge(examination) {
    const { subject } = examination
    const pods = [...new Map(subject.backends.flatMap((one) => (one.pod ? [[keyOf(one.pod), one]] : []))).values()]
    // Where nobody has the port, those that serve are those that have any.
    const serves = pods.some(declares) ? declares : declaresAny
    const meant = pods.filter(serves)
    const strays = pods.filter((one) => !serves(one) && refuses(one))
    const [stray] = strays
    if (stray?.pod === undefined || meant.length === 0 || typeof subject.port.targetPort === 'string') return []
    const label = distinguishing(
      meant.flatMap(({ pod }) => pod ?? []),
      strays.flatMap(({ pod }) => pod ?? []),
    )
    const names = strays.flatMap(({ pod }) => (pod === undefined ? [] : [`pod/${keyOf(pod)}`]))
    const selector = Object.entries(subject.service.spec.selector ?? {}).map(([key, value]) => `${key}=${value}`)
    return [
      {
        confidence: 'certain',
        object: serviceOf(subject),
        field: 'spec.selector',
        value: selector.join(','),
        says: `the selector ${selector.join(',')} takes ${names.slice(0, 3).join(', ')} too, which ${names.length === 1 ? 'has' : 'have'} no container port ${stray.port} and ${names.length === 1 ? 'refuses' : 'refuse'} it: ${strays.length} of ${pods.length} connections fail`,
        proof: strays.flatMap((one) => directly(one).map(proofOf)).slice(0, 3),
        twin: 'one replica that is down: it declares the port as the others do',
        fix:
          label === undefined
            ? { says: 'give the pods that serve a label of their own, and select it' }
            : {
                says: `select ${label[0]}=${label[1]} too, which only those that serve have`,
                patch: patchService(subject, { spec: { selector: { [label[0]]: label[1] } } }),
              },
        rung: 'loopback',
      },
    ]

    function directly({ pod, address }: Backend) {
      return pod === undefined
        ? []
        : inPod(examination, 'pod', keyOf(pod)).filter(({ probe }) => probe.address === address)
    }
    function refuses(one: Backend): boolean {
      return directly(one).some(({ result }) => findBad(result)?.kind === 'refused')
    }
  },
}

function declares({ pod, port }: Backend): boolean {
  return (
    pod?.spec.containers.some(({ ports = [] }) => ports.some(({ containerPort }) => containerPort === port)) ?? false
  )
}

function declaresAny({ pod }: Backend): boolean {
  return pod?.spec.containers.some(({ ports = [] }) => ports.length > 0) ?? false
}

/** A label that all of some pods have alike, and none of the others. */
function distinguishing(some: readonly Pod[], others: readonly Pod[]): readonly [string, string] | undefined {
  return Object.entries(some[0]?.metadata.labels ?? {}).find(
    ([key, value]) =>
      some.every(({ metadata }) => metadata.labels?.[key] === value) &&
      others.every(({ metadata }) => metadata.labels?.[key] !== value),
  )
}
