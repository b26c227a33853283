import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { type ApiServerOptions, startApiServer } from './index.ts'

// The child of crash.test.ts and of the bench: serves until it is killed, which would leave the cache of compiled modules unwritten.
const options = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ApiServerOptions
const server = await startApiServer(options)
flushCompileCache()
process.stdout.write(`${JSON.stringify({ port: server.addresses[0]!.port, revision: server.revision })}\n`)
