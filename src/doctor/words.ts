import { keyOf } from '../cluster/index.ts'
import type { Patch } from './cause.ts'
import type { Tested } from './examination.ts'
import { findBad, renderOutcome, renderPlace } from './probe.ts'
import type { Subject } from './subject.ts'

/** `service/shop/web` */
export function serviceOf({ service }: Subject): string {
  return `service/${keyOf(service)}`
}

/** `spec.ports[1]` */
export function portField({ service, port }: Subject): string {
  return `spec.ports[${(service.spec.ports ?? []).indexOf(port)}]`
}

/** One line about what a probe met: `pod/shop/client → 10.96.0.50:80: silence`. */
export function proofOf({ result, probe }: Tested): string {
  const bad = findBad(result)
  const times = result.tries.length === 1 ? '' : ` (${badCount(result)} of ${result.tries.length} tries)`
  const large = probe.speech.kind === 'http' && (probe.speech.padding ?? 0) > 0 ? ', large' : ''
  const idle = probe.speech.kind === 'http' && probe.speech.idleMs !== undefined ? ', after idling' : ''
  return `${renderPlace(probe.from)} → ${addressText(probe)}${large}${idle}: ${renderOutcome(bad ?? result.tries[0]!.outcome)}${bad === undefined ? '' : times}`
}

function badCount(result: Tested['result']): number {
  return result.tries.filter(
    ({ outcome }) => findBad({ ...result, tries: [{ outcome, ms: 0, wire: undefined }] }) !== undefined,
  ).length
}

/** `10.96.0.50:80`, `[fd00::1]:80` */
export function addressText({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** A patch of one port of the Service; other ports stay. */
export function patchPort(subject: Subject, field: string, value: unknown): Patch {
  const { service } = subject
  const ports = service.spec.ports ?? []
  const index = ports.indexOf(subject.port)
  const has = Object.hasOwn(subject.port, field)
  return {
    kind: 'Service',
    namespace: service.metadata.namespace ?? '',
    name: service.metadata.name,
    type: 'json',
    body: [{ op: has ? 'replace' : 'add', path: `/spec/ports/${index}/${field}`, value }],
  }
}

/** A merge patch of the Service. */
export function patchService({ service }: Subject, body: unknown): Patch {
  return {
    kind: 'Service',
    namespace: service.metadata.namespace ?? '',
    name: service.metadata.name,
    type: 'merge',
    body,
  }
}
