import type { CommunityValue } from './model.ts'
import type { Community } from './objects.ts'

/** RFC 1997, RFC 7999 and RFC 8326. */
const wellKnown: Readonly<Record<string, CommunityValue>> = {
  'graceful-shutdown': [65535, 0],
  blackhole: [65535, 666],
  'no-export': [65535, 65281],
  'no-advertise': [65535, 65282],
  'no-export-subconfed': [65535, 65283],
}

/** A community as BGPAdvertisements write it: `ASN:VALUE`, `large:ASN:VALUE:VALUE`, a well-known name, or a name out of Community objects. */
export function findCommunity(text: string, named: Iterable<Community>): CommunityValue | undefined {
  const value = parse(text) ?? wellKnown[text]
  if (value !== undefined) return value
  for (const { spec } of named)
    for (const each of spec?.communities ?? [])
      if (each.name === text) return parse(each.value) ?? wellKnown[each.value]
  return undefined
}

function parse(text: string): CommunityValue | undefined {
  const large = /^large:(\d+):(\d+):(\d+)$/.exec(text)
  const parts = (large ?? /^(\d+):(\d+)$/.exec(text))?.slice(1).map(Number)
  const most = large === null ? 0xffff : 0xffff_ffff
  if (parts === undefined || parts.some((part) => part > most)) return undefined
  return parts as unknown as CommunityValue
}
