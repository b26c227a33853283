import type { Dispatcher } from 'undici'

type Headers = Dispatcher.DispatchOptions['headers']
type Body = Dispatcher.DispatchOptions['body']

/** Name and value of each header, whichever of undici's forms it is given in. */
function* pairsOf(headers: Headers): Generator<[string, string | string[] | undefined]> {
  if (headers === null || headers === undefined) return
  if (Array.isArray(headers)) {
    // Flat: name, value, name, value; or pairs.
    for (let i = 0; i < headers.length; i++) {
      const one = headers[i] as unknown
      if (Array.isArray(one)) yield [String(one[0]), one[1] as string]
      else yield [String(one), String(headers[++i])]
    }
  } else if (typeof (headers as Iterable<unknown>)[Symbol.iterator] === 'function') {
    yield* headers as Iterable<[string, string | string[] | undefined]>
  } else yield* Object.entries(headers as Record<string, string | string[] | undefined>)
}

/** Headers by lower-case name. */
export function headersOf(headers: Headers): Record<string, string | string[] | undefined> {
  const found: Record<string, string | string[] | undefined> = {}
  for (const [name, value] of pairsOf(headers)) found[name.toLowerCase()] = value
  return found
}

/** With headers added: a cookie joins those that are there, others that are there stay as they are. */
export function withHeaders(headers: Headers, added: readonly [string, string][]): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {}
  for (const [name, value] of pairsOf(headers)) if (value !== undefined) found[name.toLowerCase()] = value
  for (const [name, value] of added) {
    const there = found[name]
    if (there === undefined) found[name] = value
    else if (name === 'cookie') found[name] = `${Array.isArray(there) ? there.join('; ') : there}; ${value}`
  }
  return found
}

/** A request's body for several attempts: text and bytes as often as one likes, a stream as long as nobody has read of it. */
export class ReplayBody {
  readonly #body: Body
  readonly #isStream: boolean
  #isTouched = false

  constructor(body: Body) {
    this.#body = body
    this.#isStream = body !== null && typeof body === 'object' && Symbol.asyncIterator in body
  }

  /** Whether another attempt could send the same body. */
  get mayRepeat(): boolean {
    return !this.#isTouched
  }

  next(): Body {
    const body = this.#body
    if (!this.#isStream) {
      // Blobs and forms are read by undici's own means, once.
      if (body !== null && body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array))
        this.#isTouched = true
      return body
    }
    const touch = (): void => {
      this.#isTouched = true
    }
    return {
      async *[Symbol.asyncIterator]() {
        touch()
        yield* body as unknown as AsyncIterable<Uint8Array>
      },
    } as unknown as Body
  }
}
