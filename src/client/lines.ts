const newline = 0x0a

/**
 * Splits a byte stream into lines and hands each, without its end, to `onLine`. `maxBytes` bounds a single line;
 * `push` throws past it. An unfinished last line is never handed out: a cut stream must not look like an event.
 */
export function splitLines(onLine: (line: string) => void, maxBytes = 64 * 1024 * 1024): { push(chunk: Buffer): void } {
  let held: Buffer[] = []
  let heldBytes = 0
  return {
    push(chunk) {
      let start = 0
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        let line: string
        if (heldBytes === 0) line = chunk.toString('utf8', start, end)
        else {
          held.push(chunk.subarray(start, end))
          line = Buffer.concat(held).toString('utf8')
          held = []
          heldBytes = 0
        }
        start = end + 1
        if (line !== '') onLine(line)
      }
      if (start === chunk.length) return
      held.push(start === 0 ? chunk : chunk.subarray(start))
      heldBytes += chunk.length - start
      if (heldBytes > maxBytes) throw new RangeError(`a line of more than ${maxBytes} bytes`)
    },
  }
}
