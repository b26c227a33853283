export type { Packet } from './meet.ts'
export {
  type Asking,
  type Front,
  isKubeProxys,
  lookUpFront,
  type NodeRules,
  type ProxyMode,
  proxyModeOf,
} from './node-rules.ts'
export { parseIptablesSave } from './parse-iptables.ts'
export { parseIpvs, type VirtualServer } from './parse-ipvs.ts'
export { parseNftJson } from './parse-nft.ts'
export type { Ruleset } from './ruleset.ts'
export type { Place } from './walk.ts'
