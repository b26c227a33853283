import { namePrefix } from './name-prefix.ts'

/** A reply on BIRD's control socket, whole: the last line's code and the texts of all lines, each with its code. */
export interface BirdReply {
  /** 0 to 999: done; 8000 and more: refused. */
  readonly code: number
  readonly lines: readonly { readonly code: number; readonly text: string }[]
}

/** A session as `show protocols all` tells it. */
export interface BirdSession {
  readonly name: string
  /** RFC 4271's states, `Established` when routes flow; BIRD's word for the protocol where it says no more. */
  readonly state: string
  /** Prefixes that the peer has been told. */
  readonly exported: number
  readonly lastError: string | undefined
  readonly neighbor: string | undefined
}

/**
 * The first whole reply in what has arrived, and what is left of it (BIRD's doc/reply_codes): `CODE-text` goes on, `CODE text` ends, a line that
 * begins with a blank goes on with the code before. Undefined while it is not whole.
 */
export function parseReply(arrived: string): { readonly reply: BirdReply; readonly rest: string } | undefined {
  const lines: { code: number; text: string }[] = []
  let at = 0
  for (let end = arrived.indexOf('\n'); end !== -1; end = arrived.indexOf('\n', at)) {
    const line = arrived.slice(at, end)
    at = end + 1
    const found = /^(\d{4})([- ])(.*)$/.exec(line)
    const code = found === null ? (lines.at(-1)?.code ?? 0) : Number(found[1])
    lines.push({ code, text: found === null ? line.slice(1) : (found[3] ?? '') })
    if (found?.[2] === ' ') return { reply: { code, lines }, rest: arrived.slice(at) }
  }
  return undefined
}

/** The BGP sessions in the reply to `show protocols all`, by the names that their peers have in the configuration; of a range with `_NUMBER`. */
export function parseSessions({ lines }: BirdReply): BirdSession[] {
  const sessions: { name: string; state: string; exported: number; lastError?: string; neighbor?: string }[] = []
  let session: (typeof sessions)[number] | undefined
  for (const { code, text } of lines) {
    const head = code === 1002 ? /^(\S+)\s+(\S+)\s+\S+\s+(\S+)/.exec(text) : null
    if (head !== null) {
      session = undefined
      if (head[2] === 'BGP') {
        session = { name: (head[1] ?? '').slice(namePrefix.length), state: head[3] ?? '', exported: 0 }
        sessions.push(session)
      }
    } else if (session !== undefined) {
      const [, field, value = ''] = /^\s+([A-Z][A-Za-z ]+):\s*(.*)$/.exec(text) ?? []
      if (field === 'BGP state') session.state = value
      else if (field === 'Last error') session.lastError = value
      else if (field === 'Neighbor address') session.neighbor = value
      else if (field === 'Routes') session.exported += Number(/(\d+) exported/.exec(value)?.[1] ?? 0)
    }
  }
  return sessions.map((one) => ({ lastError: undefined, neighbor: undefined, ...one }))
}
