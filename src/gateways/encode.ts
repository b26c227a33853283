/** Percent-encoded but for letters, digits and `_./-`, so that separators are free. */
export function encode(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const letter = String.fromCharCode(byte)
      return /[\w./-]/.test(letter) ? letter : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`
    })
    .join('')
}
