import { type Address, familyOf, findAddress } from '../addr/index.ts'
import { holderWords } from '../explain/index.ts'
import type { Source, State, WhyAsked } from '../ui/index.ts'
import { type Asked, parseAsked } from './asked.ts'
import { answerFrom, type Ground } from './ground.ts'
import { parseShown, show } from './show.ts'

/** As `plumb why`; `internet` is the client outside, where there is one, else an address that nobody has. */
export async function answer(
  { snapshot, gateways }: State,
  { facts, assumptions, ask }: Pick<Ground, 'facts' | 'assumptions' | 'ask'>,
  asked: WhyAsked,
  outside: readonly Address[],
): ReturnType<Source['why']> {
  const { from, to, ...rest } = asked
  const options = { ...rest, namespace: 'default', header: [] }
  const source = from === 'internet' ? clientOutside(outside, asked) : from
  const parsed: Asked | string = parseAsked(source, to, options)
  if (typeof parsed === 'string') return parsed
  const known = { snapshot, facts, assumptions, gateways: async () => gateways }
  const ground: Ground = ask === undefined ? known : { ...known, ask }
  return (await answerFrom(ground, parsed)).answer
}

/** Addresses for documentation (RFC 5737, RFC 3849). */
const strangers = { 4: '198.51.100.7', 6: '2001:db8::7' } as const

function clientOutside(outside: readonly Address[], { to, family }: WhyAsked): string {
  const bare = findAddress(to) ?? findAddress(/^(?:https?:\/\/)?\[([^\]]+)\]/.exec(to)?.[1] ?? '')
  const wanted = family === '6' || (bare !== undefined && familyOf(bare) === 6) ? 6 : 4
  return outside.find((one) => familyOf(one) === wanted) ?? strangers[wanted]
}

/** As `plumb show`, by what objects say of holders. */
export async function showIn({ snapshot, sources }: State, object: string): ReturnType<Source['show']> {
  const parsed = parseShown(object, 'default')
  if (typeof parsed === 'string') return parsed
  const from = { snapshot, sources: async () => sources, holders: async () => holderWords(snapshot) }
  const shown = await show(parsed, from)
  return typeof shown === 'string' ? shown : { data: shown.data, well: shown.well }
}
