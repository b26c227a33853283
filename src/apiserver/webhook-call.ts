import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { type Attributes, type ReviewAnswer, readReview, reviewOf } from '../admission/index.ts'
import type { Webhook } from '../objects/index.ts'
import type { Reader } from './store.ts'
import { type WebhookAddress, webhookAddress } from './webhook-address.ts'

/** The largest answer that is read, in bytes; a patch of a whole object fits. */
const answerLimitBytes = 3 * 1024 * 1024
const keptSockets = 4

/** Asks webhooks, over connections that are kept. */
export class WebhookCaller {
  readonly #reader: Reader
  // A configuration that changes makes other webhooks; the connections of old ones close when idle.
  readonly #agents = new WeakMap<Webhook, Agent>()

  constructor(reader: Reader) {
    this.#reader = reader
  }

  /** The answer of one webhook; a string says in upstream's words why there is none. Takes at most the webhook's timeout. */
  async ask(
    webhook: Webhook,
    attributes: Attributes,
    version: string,
    mutating: boolean,
  ): Promise<ReviewAnswer | string> {
    const address = webhookAddress(this.#reader, webhook)
    if (typeof address === 'string') return `failed to call webhook: ${address}`
    const uid = randomUUID()
    const body = Buffer.from(JSON.stringify(reviewOf(attributes, uid, version)))
    try {
      const value = await this.#post(webhook, address, body)
      if (typeof value === 'string') return value
      const answer = readReview(value.json, uid, mutating)
      return typeof answer === 'string' ? `received invalid webhook response: ${answer}` : answer
    } catch (error) {
      return `failed to call webhook: Post ${JSON.stringify(address.shown)}: ${reasonOf(error)}`
    }
  }

  async #post(webhook: Webhook, address: WebhookAddress, body: Buffer): Promise<{ json: unknown } | string> {
    const signal = AbortSignal.timeout((webhook.timeoutSeconds ?? 10) * 1000)
    for (let attempt = 0; ; attempt++) {
      const outgoing = request({
        method: 'POST',
        host: address.host,
        port: address.port,
        servername: /^[\d.]+$|:/.test(address.serverName) ? '' : address.serverName,
        path: `${address.url.pathname}${address.url.search}`,
        headers: {
          host: address.url.host,
          'content-type': 'application/json',
          accept: 'application/json',
          'content-length': body.length,
        },
        agent: this.#agentOf(webhook),
        signal,
      })
      try {
        outgoing.end(body)
        const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
        return await read(response)
      } catch (error) {
        // The webhook may have closed a kept connection at the moment of its use: that says nothing about the webhook.
        if (attempt > 0 || !outgoing.reusedSocket || (error as { code?: string }).code !== 'ECONNRESET') throw error
      }
    }
  }

  #agentOf(webhook: Webhook): Agent {
    let agent = this.#agents.get(webhook)
    if (agent === undefined) {
      const { caBundle } = webhook.clientConfig
      const trust = caBundle ? { ca: Buffer.from(caBundle, 'base64').toString() } : {}
      agent = new Agent({ keepAlive: true, maxFreeSockets: keptSockets, timeout: 60_000, ...trust })
      this.#agents.set(webhook, agent)
    }
    return agent
  }
}

async function read(response: IncomingMessage): Promise<{ json: unknown } | string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    size += (chunk as Buffer).length
    if (size > answerLimitBytes) {
      response.destroy()
      return `failed to call webhook: the answer is larger than ${answerLimitBytes} bytes`
    }
    chunks.push(chunk as Buffer)
  }
  const code = response.statusCode ?? 0
  if (code !== 200) return `failed to call webhook: the server returned status ${code}`
  try {
    return { json: JSON.parse(Buffer.concat(chunks).toString()) as unknown }
  } catch (error) {
    return `failed to call webhook: couldn't get version/kind; json parse error: ${(error as Error).message}`
  }
}

/** Go's words where people know them. */
function reasonOf(error: unknown): string {
  const { name, code, message, address, port } = error as Error & { code?: string; address?: string; port?: number }
  if (name === 'AbortError' || name === 'TimeoutError') return 'context deadline exceeded'
  if (code === 'ECONNREFUSED') return `dial tcp ${address}:${port}: connect: connection refused`
  if (code === 'ECONNRESET') return 'EOF'
  return /certificate|self.signed|altname/i.test(message) ? `tls: failed to verify certificate: ${message}` : message
}
