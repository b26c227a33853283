export * from './attributes.ts'
export * from './message.ts'
export * from './nfnetlink.ts'
