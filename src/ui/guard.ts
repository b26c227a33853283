import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** What keeps everybody else out: a token in the first URL, a cookie after it, and a Host header that no name of a stranger's can be behind. */
export class Guard {
  /** For the first URL. */
  readonly token = randomBytes(24).toString('base64url')
  readonly #session = randomBytes(24).toString('base64url')
  readonly #port: () => number

  constructor(port: () => number) {
    this.#port = port
  }

  /** Browsers keep cookies by host, not by port, so that the name tells one page of a machine from another. */
  get #cookieName(): string {
    return `plumb-${this.#port()}`
  }

  /** The header that turns the token into a cookie. */
  get cookie(): string {
    return `${this.#cookieName}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`
  }

  isToken(text: string): boolean {
    return isSame(text, this.token)
  }

  /** A page elsewhere whose name is made to lead here (DNS rebinding) sends that name: only addresses and `localhost` are served. */
  isHost({ headers: { host = '' } }: IncomingMessage): boolean {
    const [, name = '', port] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(host) ?? []
    if (Number(port ?? 80) !== this.#port()) return false
    return name === 'localhost' || isIP(name.replace(/^\[|\]$/g, '')) !== 0
  }

  /** Whether the request has the cookie, and no other site's page made it. */
  isKnown({ headers }: IncomingMessage): boolean {
    const site = headers['sec-fetch-site']
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
    const cookies = (headers.cookie ?? '').split(/;\s*/)
    return cookies.some((one) => {
      const [name, value = ''] = one.split('=')
      return name === this.#cookieName && isSame(value, this.#session)
    })
  }
}

function isSame(text: string, secret: string): boolean {
  const [a, b] = [Buffer.from(text), Buffer.from(secret)]
  return a.length === b.length && timingSafeEqual(a, b)
}
