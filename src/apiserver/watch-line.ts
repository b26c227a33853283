/**
 * One JSON document of a watch, in the forms in which it goes out: `text` is the document with its newline, `chunk` the same
 * framed as a chunk of an HTTP answer (RFC 9112, section 7.1). They share their bytes.
 */
export interface WatchLine {
  readonly text: Buffer
  readonly chunk: Buffer
}

/** Joins the pieces of a document, newline included, into a line. */
export function watchLine(pieces: readonly (Buffer | string)[]): WatchLine {
  const bytes = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))
  const size = bytes.reduce((sum, piece) => sum + piece.length, 0)
  const head = Buffer.from(`${size.toString(16)}\r\n`)
  const chunk = Buffer.concat([head, ...bytes, Buffer.from('\r\n')])
  return { chunk, text: chunk.subarray(head.length, head.length + size) }
}
