import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createAuthority, issueCertificate } from './index.ts'

/** A request that a webhook was asked about. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into any review
export type Review = any

/** What a webhook answers: a response without its uid, raw text, or nothing at all, ever. */
export type Reply = object | string | 'never'

/** An HTTPS webhook on loopback, certified for `hook.default.svc` and 127.0.0.1; `await using` closes it. */
export interface TestWebhook extends AsyncDisposable {
  readonly port: number
  readonly caBundle: string
  /** The reviews that came, by path. */
  readonly asked: { readonly path: string; readonly request: Review }[]
  /** Cuts all connections, those that wait for an answer included. */
  cut(): void
  /** Ends the process, so to say: nobody listens until `revive`. */
  stop(): Promise<void>
  revive(): Promise<void>
  /** Makes the answers of a path. */
  on(path: string, reply: (request: Review) => Reply): void
}

/** Starts a webhook. */
export async function startWebhook(): Promise<TestWebhook> {
  const authority = await createAuthority('webhook-ca')
  const pair = await issueCertificate(authority, {
    commonName: 'hook',
    usages: ['server'],
    dnsNames: ['hook.default.svc'],
    addresses: ['127.0.0.1'],
  })
  const asked: { path: string; request: Review }[] = []
  const replies = new Map<string, (request: Review) => Reply>()
  const server: Server = createServer({ key: pair.key, cert: pair.cert }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const path = new URL(request.url ?? '/', 'https://hook').pathname
    const review = JSON.parse(Buffer.concat(chunks).toString()).request as Review
    asked.push({ path, request: review })
    const reply = replies.get(path)?.(review) ?? { allowed: true }
    if (reply === 'never') return
    if (typeof reply === 'string') return void response.end(reply)
    const answer = { uid: review.uid, ...reply }
    response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }))
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const stop = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  const port = await listen(0)
  return {
    port,
    cut: () => server.closeAllConnections(),
    stop,
    revive: async () => void (await listen(port)),
    caBundle: Buffer.from(authority.cert).toString('base64'),
    asked,
    on: (path, reply) => void replies.set(path, reply),
    [Symbol.asyncDispose]: stop,
  }
}

/** The response that changes an object by a JSON patch. */
export function patching(...operations: object[]): Reply {
  const patch = Buffer.from(JSON.stringify(operations)).toString('base64')
  return { allowed: true, patchType: 'JSONPatch', patch }
}
