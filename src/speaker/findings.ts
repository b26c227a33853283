import type { Finding } from '../cluster/index.ts'
import type { EngineEvent } from './engine.ts'
import { speakerObjects } from './resources.ts'

/** Addresses are to be announced, and there is no key. */
export const noKey: Finding = {
  code: 'NoSpeakerKey',
  object: `secret/${speakerObjects.namespace}/${speakerObjects.name}`,
  field: 'data.key',
  says: 'nodes cannot trust one another, so no external address is announced',
  try: `kubectl -n ${speakerObjects.namespace} create secret generic ${speakerObjects.name} --from-literal=key=$(openssl rand -hex 32)`,
}

/** Another machine on the wire says that it has the address. */
export function foreignFinding(node: string, event: Extract<EngineEvent, { kind: 'foreign' }>): Finding {
  return {
    code: 'AddressInUse',
    object: `node/${node}`,
    field: `address ${event.address}`,
    says: `the machine with MAC address ${event.mac} on ${event.link} says that it has ${event.address} too`,
    try: `take ${event.address} away from that machine, or out of its IPAddressPool`,
  }
}
