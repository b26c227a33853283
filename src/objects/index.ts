export { canonicalizeQuantities } from './canonical-quantity.ts'
export { checkFields, type FieldCheck } from './check-fields.ts'
export type {
  AdminNetworkPolicy,
  AdminPolicyPort,
  ClusterNetworkPolicy,
  ClusterPolicyPeer,
  ClusterPolicyProtocol,
  ClusterPolicyRule,
} from './cluster-network-policy.ts'
export { ageColumn, nameColumn } from './column.ts'
export type * from './contract.ts'
export { type CronSchedule, parseCronSchedule } from './cron-schedule.ts'
export type {
  AdmissionRule,
  MatchResources,
  NamedExpression,
  PolicyValidation,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Webhook,
  WebhookConfiguration,
} from './defaults-admission.ts'
export type { NetworkPolicy } from './defaults-network.ts'
export { defineKind } from './define-kind.ts'
export { parseObjects } from './drop-nulls.ts'
export { renderAge, renderDuration } from './duration.ts'
export type { Egress } from './egress.ts'
export type { IPAddressPool, IPAddressPoolStatus } from './ip-address-pool.ts'
export { isRecord, type JsonRecord } from './json.ts'
export { apiVersionOf, findKind, findKindOf, getKind, kinds } from './kinds.ts'
export * from './kinds-admission.ts'
export * from './kinds-cluster.ts'
export * from './kinds-core.ts'
export * from './kinds-network.ts'
export * from './kinds-storage.ts'
export * from './kinds-workload.ts'
export type { AddressSelection, L2Advertisement } from './l2-advertisement.ts'
export { openapi, openapiDocument, pathsOf } from './openapi.ts'
export { metaProperty, metaSchemas } from './openapi-schemas.ts'
export { decodeProtobuf, encodeProtobuf, protobufType } from './protobuf.ts'
export { quantityValue } from './quantity.ts'
export { type Property, type Shape, type StructType, schemaOf, structType } from './schema.ts'
export type { AddressMove, ServiceBGPStatus, ServiceL2Status } from './service-status.ts'
export * as errors from './status.ts'
export type * from './types.ts'
export { deprecationOf, warningsOf } from './warnings.ts'
export { ProtobufError } from './wire.ts'
