export {
  type Address,
  addressAt,
  addressFromBytes,
  bytesOf,
  type Family,
  families,
  familyOf,
  findAddress,
  offsetOf,
  parseAddress,
} from './address.ts'
export {
  contains,
  findPrefix,
  hostPrefix,
  overlaps,
  type Prefix,
  parsePrefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
  prefixSize,
} from './prefix.ts'
