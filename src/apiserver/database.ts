import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { remedyOfDamage, StorageFault, storageFault } from './storage-fault.ts'

/** One line of the log: the state of a key after `revision`. A tombstone carries the object's last state. */
export interface Row {
  readonly revision: number
  readonly collection: string
  readonly key: string
  readonly created: number
  readonly deleted: number
  readonly value: Uint8Array
}

/** A row as it was read, with the checksum that was written with it. */
export interface StoredRow extends Row {
  readonly checksum: number
}

/** Which layout the tables have (`PRAGMA user_version`). */
const format = 1

/** The checksum of a row's bytes and place, because SQLite has none: a flipped bit in a value would be believed. */
export function checksumOf({ revision, collection, key, deleted, value }: Row): number {
  return crc32(value, crc32(`${revision} ${collection} ${key} ${deleted}`))
}

/** Opens a file of SQLite for one process alone, and checks that it is a store. Throws `StorageFault`. */
export function openStoreFile(path: string): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path)
    db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL')
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
    const tables = Number(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n)
    if (tables > 0 && version !== format) {
      throw new StorageFault('failed', `${path} has format ${version}; this version of plumb reads format ${format}`)
    }
    return db
  } catch (error) {
    db?.close()
    throw error instanceof StorageFault ? error : storageFault(`open the store ${path}`, path, error)
  }
}

/**
 * The log of states on disk: SQLite in WAL mode with `synchronous=FULL`, so that a commit has been synced when it returns
 * and survives a power cut as well as `kill -9`. The lock is exclusive: a second process on the same file is refused.
 */
export class Database {
  readonly #path: string
  readonly #db: DatabaseSync
  readonly #insert: StatementSync
  readonly #forget: StatementSync
  readonly #setCompacted: StatementSync
  readonly #read: StatementSync

  constructor(path: string) {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#path = path
    this.#db = openStoreFile(path)
    try {
      this.#db.exec('PRAGMA journal_size_limit=16777216; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-4096')
      this.#db.exec(`
        CREATE TABLE IF NOT EXISTS log(
          revision INTEGER PRIMARY KEY, collection TEXT NOT NULL, key TEXT NOT NULL, created INTEGER NOT NULL,
          deleted INTEGER NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
        PRAGMA user_version=${format}`)
    } catch (error) {
      this.#db.close()
      throw storageFault(`open the store ${path}`, path, error)
    }
    this.#insert = this.#db.prepare('INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)')
    this.#read = this.#db.prepare(
      'SELECT revision, collection, key, created, deleted, value, checksum FROM log WHERE revision = ?',
    )
    this.#forget = this.#db.prepare('DELETE FROM log WHERE revision = ?')
    this.#setCompacted = this.#db.prepare(
      `INSERT INTO meta VALUES ('compacted', ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value`,
    )
  }

  /** The revisions of kept states that a later one of the same key has replaced. */
  replaced(): Set<number> {
    const statement = this.#db.prepare('SELECT revision, collection, key FROM log ORDER BY revision')
    const latest = new Map<string, number>()
    const replaced = new Set<number>()
    try {
      for (const { revision, collection, key } of statement.iterate() as unknown as Iterable<Row>) {
        const name = `${collection} ${key}`
        const before = latest.get(name)
        if (before !== undefined) replaced.add(before)
        latest.set(name, revision)
      }
      return replaced
    } catch (error) {
      throw storageFault(`read the store ${this.#path}`, this.#path, error)
    }
  }

  /** Every state that is still kept, in the order of revisions. Throws `StorageFault` at one that is damaged. */
  *rows(): Generator<Row> {
    const statement = this.#db.prepare(
      'SELECT revision, collection, key, created, deleted, value, checksum FROM log ORDER BY revision',
    )
    try {
      for (const row of statement.iterate() as unknown as Iterable<StoredRow>) {
        yield this.#checked(row)
      }
    } catch (error) {
      if (error instanceof StorageFault) throw error
      throw storageFault(`read the store ${this.#path}`, this.#path, error)
    }
  }

  /** The bytes of one kept state. Throws `StorageFault` when it is damaged or gone. */
  valueAt(revision: number): Uint8Array {
    try {
      const row = this.#read.get(revision) as unknown as StoredRow | undefined
      if (row !== undefined) return this.#checked(row).value
    } catch (error) {
      if (error instanceof StorageFault) throw error
      throw storageFault(`read the store ${this.#path}`, this.#path, error)
    }
    const message = `the store ${this.#path} is damaged: revision ${revision} is gone`
    throw new StorageFault('damaged', `${message}; ${remedyOfDamage(this.#path)}`)
  }

  #checked(row: StoredRow): Row {
    if (row.checksum === checksumOf(row)) return row
    const what = `${row.collection} ${row.key} at revision ${row.revision}`
    const message = `the store ${this.#path} is damaged: the checksum of ${what} is wrong`
    throw new StorageFault('damaged', `${message}; ${remedyOfDamage(this.#path)}`)
  }

  /** The highest revision whose history is gone. */
  compacted(): number {
    try {
      const row = this.#db.prepare(`SELECT value FROM meta WHERE name = 'compacted'`).get()
      return Number(row?.value ?? 0)
    } catch (error) {
      throw storageFault(`read the store ${this.#path}`, this.#path, error)
    }
  }

  /** Appends rows and drops forgotten ones in one durable transaction; all of it or, when it throws `StorageFault`, nothing. */
  commit(rows: readonly Row[], forgotten: readonly number[], compacted: number | undefined): void {
    try {
      this.#db.exec('BEGIN IMMEDIATE')
      for (const row of rows) {
        const { revision, collection, key, created, deleted, value } = row
        this.#insert.run(revision, collection, key, created, deleted, value, checksumOf(row))
      }
      for (const revision of forgotten) this.#forget.run(revision)
      if (compacted !== undefined) this.#setCompacted.run(compacted)
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw storageFault(`write to the store ${this.#path}`, this.#path, error)
    }
  }

  /** Copies the store, as it is at one moment, to a new file, while it is written to. */
  async backup(path: string): Promise<void> {
    try {
      await backup(this.#db, path)
    } catch (error) {
      throw storageFault(`write the backup ${path}`, path, error)
    }
  }

  close(): void {
    this.#db.close()
  }
}
