import { existsSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { checksumOf, openStoreFile, type StoredRow } from './database.ts'
import { StorageFault } from './storage-fault.ts'

/** What a check of a store found: sound when `damages` is empty. */
export interface Integrity {
  readonly objects: number
  readonly revision: number
  /** What is wrong, each with its place. */
  readonly damages: readonly string[]
}

const maximumDamages = 100

/** Checks a store that no process has open: SQLite's own check, then each row. Throws `StorageFault` when it cannot be looked at. */
export function checkStore(path: string): Integrity {
  if (!existsSync(path)) throw new StorageFault('failed', `there is no store at ${path}`)
  let db: DatabaseSync
  try {
    db = openStoreFile(path)
  } catch (error) {
    if (!(error instanceof StorageFault) || error.reason !== 'damaged') throw error
    return { objects: 0, revision: 0, damages: [error.message] }
  }
  try {
    const damages = checkPages(db)
    return checkRows(db, damages)
  } finally {
    db.close()
  }
}

function checkPages(db: DatabaseSync): string[] {
  try {
    const rows = db.prepare(`PRAGMA integrity_check(${maximumDamages})`).all()
    return rows.map((row) => String(row.integrity_check)).filter((text) => text !== 'ok')
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

/** Revisions are unique and not below what was compacted away at the top, states decode, and name the place where they lie. */
function checkRows(db: DatabaseSync, damages: string[]): Integrity {
  const live = new Map<string, number>()
  let revision = 0
  const note = (text: string): void => {
    if (damages.length < maximumDamages) damages.push(text)
  }
  try {
    const rows = db.prepare(
      'SELECT revision, collection, key, created, deleted, value, checksum FROM log ORDER BY revision',
    )
    for (const row of rows.iterate() as unknown as Iterable<StoredRow>) {
      const place = `${row.collection} ${row.key} at revision ${row.revision}`
      for (const damage of damagesOf(row)) note(`${place}: ${damage}`)
      if (row.revision <= revision) note(`${place}: the revision before it is ${revision}`)
      revision = row.revision
      const key = `${row.collection} ${row.key}`
      if (row.deleted === 1) live.delete(key)
      else live.set(key, row.created)
    }
    const compacted = Number(db.prepare(`SELECT value FROM meta WHERE name = 'compacted'`).get()?.value ?? 0)
    revision = Math.max(revision, compacted)
  } catch (error) {
    note(`after revision ${revision}: ${error instanceof Error ? error.message : error}`)
  }
  return { objects: live.size, revision, damages }
}

function damagesOf(row: StoredRow): string[] {
  const damages: string[] = []
  if (row.checksum !== checksumOf(row)) damages.push('the checksum is wrong')
  if (row.created > row.revision) damages.push(`it was created later, at ${row.created}`)
  try {
    const { metadata } = JSON.parse(Buffer.from(row.value).toString()) as {
      metadata?: { name?: string; namespace?: string; resourceVersion?: string }
    }
    const key = metadata?.namespace === undefined ? metadata?.name : `${metadata.namespace}/${metadata.name}`
    if (key !== row.key) damages.push(`the object calls itself ${key}`)
    if (metadata?.resourceVersion !== String(row.revision))
      damages.push(`the object says resourceVersion ${metadata?.resourceVersion}`)
  } catch (error) {
    damages.push(`the object is no JSON: ${error instanceof Error ? error.message : error}`)
  }
  return damages
}
