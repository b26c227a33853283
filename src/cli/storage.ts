import { createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { exit, print, say } from './output.ts'

/** `plumb apiserver backup`: of a running server through its API, or of a stopped one's folder. */
export async function runBackup(file: string, options: { kubeconfig?: string; dataDir?: string }): Promise<void> {
  if (options.kubeconfig === undefined && options.dataDir === undefined) {
    say('plumb: give --kubeconfig of a running server, or --data-dir of a stopped one')
    process.exit(exit.usage)
  }
  await told(async () => {
    if (existsSync(file)) throw new Error(`${file} exists already`)
    const { backUpFolder, checkStore } = await import('../apiserver/index.ts')
    if (options.dataDir !== undefined) await backUpFolder(options.dataDir, file)
    else await download(options.kubeconfig!, file)
    // A backup that cannot be read is none.
    const { objects, revision, damages } = checkStore(file)
    if (damages.length > 0) throw new Error(`the backup is damaged, as its source is: ${damages.join('; ')}`)
    say(`plumb: ${objects} objects at revision ${revision}, ${statSync(file).size} bytes in ${file}`)
  })
}

async function download(kubeconfig: string, file: string): Promise<void> {
  const [{ connect }, { backupEndpoint }] = await Promise.all([
    import('../client/index.ts'),
    import('../apiserver/index.ts'),
  ])
  const client = connect({ kubeconfig, userAgent: 'plumb-backup' })
  const part = `${file}.part`
  try {
    // It holds every Secret.
    await pipeline(await client.download(backupEndpoint), createWriteStream(part, { mode: 0o600 }))
    renameSync(part, file)
  } finally {
    rmSync(part, { force: true })
    client.close()
  }
}

/** `plumb apiserver restore`: into the folder of a server that is not running. */
export async function runRestore(file: string, options: { dataDir: string; replace: boolean }): Promise<void> {
  await told(async () => {
    const { restoreFolder } = await import('../apiserver/index.ts')
    const { objects, revision } = await restoreFolder(file, options.dataDir, options.replace)
    say(`plumb: ${objects} objects restored in ${options.dataDir}; revisions go on after ${revision}`)
  })
}

/** `plumb apiserver check`: what is damaged in a store, one line each; exit status 1 if anything is. */
export async function runCheckStore(path: string): Promise<void> {
  await told(async () => {
    const { checkStore, storePath } = await import('../apiserver/index.ts')
    const isFolder = existsSync(path) && statSync(path).isDirectory()
    const { objects, revision, damages } = checkStore(isFolder ? storePath(path) : path)
    for (const damage of damages) print(damage)
    say(`plumb: ${objects} objects at revision ${revision}, ${damages.length} damages`)
    if (damages.length === 0) return
    say('plumb: put a backup in its place: plumb apiserver restore FILE --data-dir FOLDER --replace')
    process.exitCode = exit.found
  })
}

async function told(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    say(`plumb: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = exit.cannot
  }
}
