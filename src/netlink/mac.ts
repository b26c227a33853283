/** The 6 bytes of a MAC address in colon form; throws on anything else. */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new TypeError(`"${text}" is not a MAC address`)
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16))
}

/** The colon form, lower case, of a MAC address; undefined for other link-layer addresses. */
export function renderMac(bytes: Uint8Array | undefined): string | undefined {
  if (bytes?.length !== 6) return undefined
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}
