import type { Family } from '../addr/index.ts'
import type { Field, Statement, Value } from './ruleset.ts'
import { findAddresses, findPorts, word } from './values.ts'

/** The words of a rule after its chain: what it looks for, and what it does. */
interface Options {
  readonly matches: readonly Statement[]
  readonly target: { readonly name: string; readonly goto: boolean } | undefined
  /** Of the target, by their names. */
  readonly options: ReadonlyMap<string, string>
}

type Reader = (
  text: string,
  module: string,
) => { readonly field: Field; readonly values: readonly Value[]; readonly percent?: number } | undefined

const list =
  (field: Field, find: (text: string) => Value | undefined): Reader =>
  (text) => {
    const values = text.split(',').map(find)
    return values.includes(undefined) ? undefined : { field, values: values as Value[] }
  }
/** Lower-case names, one or more. */
const words =
  (field: Field): Reader =>
  (text) => ({ field, values: text.toLowerCase().split(',').map(word) })

const protocols: Readonly<Record<string, string>> = {
  6: 'tcp',
  17: 'udp',
  132: 'sctp',
  1: 'icmp',
  58: 'icmpv6',
  'ipv6-icmp': 'icmpv6',
}

const readers: Readonly<Record<string, Reader>> = {
  '-s': list('source', findAddresses),
  '-d': list('destination', findAddresses),
  '--src-range': list('source', findAddresses),
  '--dst-range': list('destination', findAddresses),
  '-p': (text) => (text === 'all' ? undefined : { field: 'protocol', values: [word(protocols[text] ?? text)] }),
  '-i': (text) => ({ field: 'input', values: [word(text.replace(/\+$/, '*'))] }),
  '-o': (text) => ({ field: 'output', values: [word(text.replace(/\+$/, '*'))] }),
  '--sport': list('source-port', findPorts),
  '--dport': list('destination-port', findPorts),
  '--sports': list('source-port', findPorts),
  '--dports': list('destination-port', findPorts),
  '--state': words('state'),
  '--src-type': words('source-type'),
  '--dst-type': words('destination-type'),
  '--ctstate': (text) => {
    const states = text.toLowerCase().split(',')
    const translated = states.filter((one) => one === 'dnat' || one === 'snat')
    if (translated.length > 0 && translated.length < states.length) return undefined
    return { field: translated.length > 0 ? 'translated' : 'state', values: states.map(word) }
  },
  '--mark': (text, module) => {
    const [value = NaN, mask = 0xffffffff] = text.split('/').map(Number)
    return module !== 'mark' || Number.isNaN(value)
      ? undefined
      : { field: 'mark', values: [{ kind: 'bits', value, mask }] }
  },
  '--probability': (text) => ({ field: 'unknown', values: [], percent: Number(text) * 100 }),
}

/** Options of matches that change nothing of what is met, with how many words follow each. */
const idle: Readonly<Record<string, number>> = {
  '--comment': 1,
  '--mode': 1,
  '--reap': 0,
  '--name': 1,
  '--mask': 1,
  '--rsource': 0,
  '--seconds': 1,
  '--set': 0,
  '--nfacct-name': 1,
}

/** Reads the words one by one; an option that is not known makes a match that nobody can know beforehand. */
export function parseOptions(_family: Family, all: readonly string[]): Options {
  const matches: Statement[] = []
  const options = new Map<string, string>()
  let target: Options['target']
  let module = ''
  let not = false
  for (let at = 0; at < all.length; at++) {
    const name = all[at] ?? ''
    const next = all[at + 1] ?? ''
    if (name === '!') {
      not = true
      continue
    }
    if (target !== undefined) {
      const takes = name.startsWith('-') && next !== '' && !next.startsWith('--')
      options.set(name, takes ? next : '')
      if (takes) at++
      continue
    }
    if (name === '-m') {
      module = next
      at++
    } else if (name === '-j' || name === '-g') {
      target = { name: next, goto: name === '-g' }
      at++
    } else if (name === '--rcheck' || name === '--update') {
      matches.push({ kind: 'match', fields: ['unknown'], not: false, among: [], percent: 0 })
    } else if (Object.hasOwn(idle, name)) at += idle[name] ?? 0
    else if (Object.hasOwn(readers, name)) {
      matches.push(readMatch(name, next, module, not))
      at++
    } else {
      const words = [name]
      while (at + 1 < all.length && !/^(-|!)/.test(all[at + 1] ?? '')) words.push(all[++at] ?? '')
      matches.push({
        kind: 'unknown',
        text: `${not ? '! ' : ''}${module === '' ? '' : `-m ${module} `}${words.join(' ')}`,
      })
    }
    not = false
  }
  return { matches, target, options }
}

function readMatch(name: string, text: string, module: string, not: boolean): Statement {
  const found = readers[name]?.(text, module)
  if (found === undefined)
    return name === '-p' ? { kind: 'note' } : { kind: 'unknown', text: `${not ? '! ' : ''}${name} ${text}` }
  const { field, values, percent } = found
  const among = values.map((value) => ({ key: [value] }))
  return { kind: 'match', fields: [field], not, among, ...(percent === undefined ? {} : { percent }) }
}
