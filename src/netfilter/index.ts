export {
  type Asking,
  type Front,
  lookUpFront,
  type NodeRules,
  type ProxyMode,
  proxyModeOf,
} from './node-rules.ts'
export { parseIptablesSave } from './parse-iptables.ts'
export { parseIpvs } from './parse-ipvs.ts'
export { parseNftJson } from './parse-nft.ts'
export type { Ruleset } from './ruleset.ts'
