import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { backup } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'
import { openStoreFile } from './database.ts'
import { checkStore, type Integrity } from './integrity.ts'
import { StorageFault } from './storage-fault.ts'
import type { Store } from './store.ts'

/** The file of a store in its data folder. */
export function storePath(dataDir: string): string {
  return join(dataDir, 'objects.sqlite')
}

/** The path at which a running server gives a backup of its store; `get` on it is what authorization asks for. */
export const backupEndpoint = '/backup'

/** Answers with a copy of the store as it is at one moment; writes go on meanwhile. */
export async function sendBackup(store: Store, response: ServerResponse): Promise<void> {
  // Only this process may look into the folder.
  const folder = mkdtempSync(join(tmpdir(), 'plumb-backup-'))
  try {
    const file = join(folder, 'objects.sqlite')
    await store.backup(file)
    const size = statSync(file).size
    response.writeHead(200, { 'content-type': 'application/vnd.sqlite3', 'content-length': size })
    await pipeline(createReadStream(file), response).catch(() => undefined)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Copies the store of a stopped server to a new file. */
export async function backUpFolder(dataDir: string, file: string): Promise<void> {
  if (!existsSync(storePath(dataDir))) throw new StorageFault('failed', `there is no store in ${dataDir}`)
  if (existsSync(file)) throw new StorageFault('failed', `${file} exists already`)
  const db = openStoreFile(storePath(dataDir))
  try {
    await backup(db, file)
  } finally {
    db.close()
  }
}

/**
 * By how much revisions go on after a restore: more than can have been given out since the backup was made, so that no client takes a new
 * state for one that it knows (etcd's advice for Kubernetes).
 */
const revisionGap = 1_000_000_000

/**
 * Puts a backup into the data folder of a stopped server. Clients that watched are told to list again, since revisions jump. Throws
 * `StorageFault` when the backup is damaged, or a store is there and `replace` is not set.
 */
export async function restoreFolder(file: string, dataDir: string, replace = false): Promise<Integrity> {
  const path = storePath(dataDir)
  if (existsSync(path)) {
    if (!replace) throw new StorageFault('failed', `${path} exists already; --replace puts the backup in its place`)
    // Refused while a server has it open; a damaged one may be replaced.
    openUnlessDamaged(path)
  }
  const found = checkStore(file)
  if (found.damages.length > 0)
    throw new StorageFault('damaged', `the backup ${file} is damaged: ${found.damages.join('; ')}`)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const fresh = `${path}.restored`
  rmSync(fresh, { force: true })
  const source = openStoreFile(file)
  try {
    await backup(source, fresh)
  } finally {
    source.close()
  }
  const revision = found.revision + revisionGap
  const db = openStoreFile(fresh)
  db.prepare(`INSERT OR REPLACE INTO meta VALUES ('compacted', ?)`).run(revision)
  db.close()
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
  renameSync(fresh, path)
  syncFolder(dirname(path))
  return { ...found, revision }
}

function openUnlessDamaged(path: string): void {
  try {
    openStoreFile(path).close()
  } catch (error) {
    if (!(error instanceof StorageFault) || error.reason === 'locked') throw error
  }
}

/** Makes a rename survive a power cut. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  fsyncSync(fd)
  closeSync(fd)
}
