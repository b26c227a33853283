export { BgpCompiler, type BgpInput } from './compile.ts'
export { lowerBgp } from './lower.ts'
export type { BgpModel } from './model.ts'
export type { BFDProfile, BGPAdvertisement, BGPPeer, BGPSession, Community } from './objects.ts'
