import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'

/** One line of the log: the state of a key after `revision`. A tombstone carries the object's last state. */
export interface Row {
  readonly revision: number
  readonly collection: string
  readonly key: string
  readonly created: number
  readonly deleted: number
  readonly value: Uint8Array
}

/**
 * The log of states on disk: SQLite in WAL mode with `synchronous=FULL`, so that a commit has been synced when it returns
 * and survives a power cut as well as `kill -9`. The lock is exclusive: a second process on the same file is refused.
 */
export class Database {
  readonly #db: DatabaseSync
  readonly #insert: StatementSync
  readonly #forget: StatementSync
  readonly #setCompacted: StatementSync

  constructor(path: string) {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#db = new DatabaseSync(path)
    try {
      this.#db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL')
      this.#db.exec('PRAGMA journal_size_limit=16777216; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-4096')
      this.#db.exec(`
        CREATE TABLE IF NOT EXISTS log(
          revision INTEGER PRIMARY KEY, collection TEXT NOT NULL, key TEXT NOT NULL,
          created INTEGER NOT NULL, deleted INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT`)
    } catch (error) {
      this.#db.close()
      throw new Error(`cannot open the store ${path}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      })
    }
    this.#insert = this.#db.prepare('INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)')
    this.#forget = this.#db.prepare('DELETE FROM log WHERE revision = ?')
    this.#setCompacted = this.#db.prepare(
      `INSERT INTO meta VALUES ('compacted', ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value`,
    )
  }

  /** Every state that is still kept, in the order of revisions. */
  rows(): IterableIterator<Row> {
    const statement = this.#db.prepare(
      'SELECT revision, collection, key, created, deleted, value FROM log ORDER BY revision',
    )
    return statement.iterate() as unknown as IterableIterator<Row>
  }

  /** The highest revision whose history is gone. */
  compacted(): number {
    const row = this.#db.prepare(`SELECT value FROM meta WHERE name = 'compacted'`).get()
    return Number(row?.value ?? 0)
  }

  /** Appends rows and drops forgotten ones in one durable transaction; all of it or, when it throws, nothing. */
  commit(rows: readonly Row[], forgotten: readonly number[], compacted: number | undefined): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      for (const row of rows) {
        this.#insert.run(row.revision, row.collection, row.key, row.created, row.deleted, row.value)
      }
      for (const revision of forgotten) this.#forget.run(revision)
      if (compacted !== undefined) this.#setCompacted.run(compacted)
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  close(): void {
    this.#db.close()
  }
}
