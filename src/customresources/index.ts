export {
  type Condition,
  cleanupFinalizer,
  type Definition,
  type DefinitionNames,
  defaultDefinition,
  definitions,
  outlineOf,
  validateDefinition,
} from './definition.ts'
export { type CustomKind, customKind, isCustom, schemasOf } from './kind.ts'
export { withCustomKinds } from './openapi.ts'
export { pruneUnknown } from './prune.ts'
export { customScale, setReplicas } from './scale.ts'
