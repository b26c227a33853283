import { randomUUID } from 'node:crypto'
import type { Address } from '../addr/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import { ipFamilyOf } from './service-families.ts'
import type { Transaction } from './store.ts'
import { timestamp } from './value.ts'

/** The collection of IPAddress objects (KEP-1880). */
export const ipAddresses = 'networking.k8s.io/ipaddresses'

/** Whose an address is; its name is the address. */
export interface IPAddress extends KubeObject {
  readonly spec?: {
    readonly parentRef?: {
      readonly group?: string
      readonly resource?: string
      readonly namespace?: string
      readonly name?: string
    }
  }
}

/** The labels by which upstream's allocator knows its own. */
const familyLabel = 'ipaddress.kubernetes.io/ip-family'
const managedLabel = 'ipaddress.kubernetes.io/managed-by'
const managedBy = 'ipallocator.k8s.io'

/** Writes down that the address is the Service's; in the place of whatever was there. */
export function recordAddress(address: Address, { metadata }: Service, transaction: Transaction): void {
  const { name, namespace = '' } = metadata
  transaction.put(ipAddresses, address, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: {
      name: address,
      uid: randomUUID(),
      creationTimestamp: timestamp(),
      generation: 1,
      labels: { [familyLabel]: ipFamilyOf(address), [managedLabel]: managedBy },
    },
    spec: { parentRef: { group: '', resource: 'services', namespace, name } },
  } as IPAddress)
}

/** Takes the record away, if it is this Service's. */
export function forgetAddress(address: Address, service: Service, transaction: Transaction): void {
  const record = findRecord(address, transaction)
  if (record !== undefined && isOf(record, service)) transaction.remove(ipAddresses, address)
}

/** The record of an address. */
export function findRecord(address: Address, transaction: Pick<Transaction, 'find'>): IPAddress | undefined {
  return transaction.find(ipAddresses, address)?.value as IPAddress | undefined
}

/** Whether the record says that the address is this Service's. */
export function isOf({ spec }: IPAddress, { metadata }: Service): boolean {
  return refersToService({ spec } as IPAddress) === `${metadata.namespace}/${metadata.name}`
}

/** The key of the Service that the record names; undefined when it names something else. */
export function refersToService({ spec }: IPAddress): string | undefined {
  const { group = '', resource, namespace = '', name = '' } = spec?.parentRef ?? {}
  return group === '' && resource === 'services' ? `${namespace}/${name}` : undefined
}

/** Whether the allocator made the record, by its label. */
export function isManaged({ metadata }: IPAddress): boolean {
  return metadata.labels?.[managedLabel] === managedBy
}

/** Whether the record has the labels that the allocator gives. */
export function isLabelled(record: IPAddress, address: Address): boolean {
  return isManaged(record) && record.metadata.labels?.[familyLabel] === ipFamilyOf(address)
}
