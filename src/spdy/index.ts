export { SpdyConnection } from './connection.ts'
export type { SpdyStream } from './stream.ts'
