import { errors, type Status } from '../objects/index.ts'

// Primary result codes of SQLite (sqlite.org/rescode.html).
const codes = { busy: 5, ioError: 10, corrupt: 11, full: 13, notADatabase: 26 } as const

/** Why the store could not do what it was asked: the closed reason, the file, and the remedy in the message. */
export class StorageFault extends Error {
  readonly reason: 'full' | 'damaged' | 'locked' | 'failed'

  constructor(reason: StorageFault['reason'], message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }

  /** What a client is told. Nothing of its request was stored. */
  get status(): Status {
    return errors.internalError(`${this.message}; nothing of this request was stored`)
  }
}

/** The fault behind an error of SQLite; `doing` says what failed, such as `write to the store FILE`. */
export function storageFault(doing: string, path: string, error: unknown): StorageFault {
  const text = error instanceof Error ? error.message : String(error)
  const code = (error as { errcode?: number }).errcode ?? 0
  const build = (reason: StorageFault['reason'], remedy: string) =>
    new StorageFault(reason, `cannot ${doing}: ${text}${remedy}`, error)
  switch (code & 0xff) {
    case codes.full:
      return build('full', `: the disk of ${path} has no room; reads go on, and writes will when there is some`)
    case codes.ioError:
      // The write-ahead log that cannot grow is told as an I/O error.
      return build('failed', `: the disk of ${path} is full or failing; reads go on`)
    case codes.corrupt:
    case codes.notADatabase:
      return build('damaged', `; ${remedyOfDamage(path)}`)
    case codes.busy:
      return build('locked', ': another process has it open')
    default:
      return build('failed', '')
  }
}

/** What to do about a damaged file. */
export function remedyOfDamage(path: string): string {
  return `run plumb apiserver check ${path} to see what is lost, and put a backup in its place with plumb apiserver restore`
}
