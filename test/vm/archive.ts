import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A root file system as the kernel unpacks it at boot: cpio's `newc` format (Documentation/driver-api/early-userspace/buffer-format.rst). */
export class Archive {
  readonly #parts: Buffer[] = []
  readonly #known = new Set(['/'])
  #inode = 0

  /** Copies a file, a link or a whole folder to `path`; `keep` says which names of a folder are taken. */
  copy(source: string, path = source, keep: (name: string) => boolean = () => true): void {
    const status = lstatSync(source)
    if (status.isSymbolicLink()) this.#put(path, 0o120777, Buffer.from(readlinkSync(source)))
    else if (status.isDirectory()) {
      this.folder(path)
      for (const name of readdirSync(source).filter(keep)) this.copy(join(source, name), join(path, name), keep)
    } else if (status.isFile()) this.#put(path, 0o100000 | (status.mode & 0o7777), readFileSync(source))
  }

  write(path: string, text: string, mode = 0o755): void {
    this.#put(path, 0o100000 | mode, Buffer.from(text))
  }

  link(path: string, target: string): void {
    this.#put(path, 0o120777, Buffer.from(target))
  }

  folder(path: string): void {
    this.#put(path, 0o040755, Buffer.alloc(0))
  }

  /** The archive with its trailer. */
  bytes(): Buffer {
    return Buffer.concat([...this.#parts, entry('TRAILER!!!', 0, 0, Buffer.alloc(0))])
  }

  has(path: string): boolean {
    return this.#known.has(path)
  }

  /** The first of a name counts; folders on the way are made. */
  #put(path: string, mode: number, content: Buffer): void {
    if (this.#known.has(path)) return
    this.folder(dirname(path))
    this.#known.add(path)
    this.#parts.push(entry(path.slice(1), ++this.#inode, mode, content))
  }
}

function entry(name: string, inode: number, mode: number, content: Buffer): Buffer {
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, Buffer.byteLength(name) + 1, 0]
  const header = Buffer.from(`070701${fields.map((one) => one.toString(16).padStart(8, '0')).join('')}${name}\0`)
  return Buffer.concat([pad(header), pad(content)])
}

function pad(bytes: Buffer): Buffer {
  return bytes.length % 4 === 0 ? bytes : Buffer.concat([bytes], bytes.length + 4 - (bytes.length % 4))
}
