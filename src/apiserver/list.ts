import { isCustom } from '../customresources/index.ts'
import { apiVersionOf, errors, type Kind } from '../objects/index.ts'
import type { Form } from './accept.ts'
import type { Entry } from './entry.ts'
import { Refusal } from './refusal.ts'
import type { Scope } from './scope.ts'
import { keyOf } from './scope.ts'
import type { Selector } from './selector.ts'
import type { Store } from './store.ts'
import { type IncludeObject, renderColumns, renderPartial, renderRow, renderTable } from './table.ts'
import { entryAs } from './version-view.ts'

/** One page of a list, at one revision. */
export interface Page {
  readonly entries: readonly Entry[]
  readonly revision: number
  readonly next: string | undefined
  readonly remaining: number | undefined
}

interface Position {
  readonly revision: number
  /** The first key that may be on the page. */
  readonly from: string
}

/** The objects that a list request asks for, with upstream's meaning of limit, continue and resourceVersion. */
export function listPage(store: Store, scope: Scope, selector: Selector, query: URLSearchParams): Page {
  const position = positionOf(store, scope, query)
  const limit = limitOf(query)
  const prefix = scope.namespace === undefined ? '' : `${scope.namespace}/`
  const source = sourceOf(store, scope, selector, prefix, position)
  const entries: Entry[] = []
  let remaining = 0
  for (const entry of source) {
    if (entries.length === limit) {
      remaining++
      // With a selector the number of what remains is not told, so one more match is enough to know that there is a next page.
      if (!selector.everything && selector.matches(entry.value)) break
      if (!selector.everything) remaining--
    } else if (selector.everything || selector.matches(entry.value)) entries.push(entry)
  }
  const more = limit !== undefined && remaining > 0
  return {
    entries,
    revision: position.revision,
    next: more ? encodeContinue(position.revision, entries.at(-1)!.key, prefix) : undefined,
    remaining: more && selector.everything ? remaining : undefined,
  }
}

function sourceOf(
  store: Store,
  scope: Scope,
  selector: Selector,
  prefix: string,
  { revision, from }: Position,
): Iterable<Entry> {
  if (
    selector.name !== undefined &&
    revision === store.revision &&
    (scope.namespace !== undefined || !scope.kind.namespaced)
  ) {
    const key = keyOf(scope.namespace, selector.name)
    const entry = store.collection(scope.collection).find(key)
    return entry === undefined || key < from ? [] : [entry]
  }
  const entries = store.rangeAt(scope.collection, prefix, revision, from)
  if (entries !== undefined) return entries
  throw new Refusal(from > prefix ? errors.continueExpired() : errors.expired(revision, store.compacted))
}

function positionOf(store: Store, scope: Scope, query: URLSearchParams): Position {
  const token = query.get('continue') ?? ''
  const match = query.get('resourceVersionMatch') ?? ''
  const version = query.get('resourceVersion') ?? ''
  if (match !== '' && version === '')
    throw invalidOptions(
      'resourceVersionMatch',
      'Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    )
  if (match !== '' && match !== 'Exact' && match !== 'NotOlderThan')
    throw invalidOptions(
      'resourceVersionMatch',
      `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan"`,
    )
  if (match === 'Exact' && version === '0')
    throw invalidOptions(
      'resourceVersionMatch',
      'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    )
  if (token !== '') {
    if (version !== '' && version !== '0')
      throw new Refusal(errors.badRequest('specifying resource version is not allowed when using continue'))
    return decodeContinue(token, scope.namespace === undefined ? '' : `${scope.namespace}/`, store)
  }
  const asked = revisionOf(version)
  if (asked > store.revision) throw new Refusal(errors.resourceVersionTooLarge(asked, store.revision))
  return { revision: match === 'Exact' ? asked : store.revision, from: '' }
}

/** The revision that a `resourceVersion` names, 0 for none; 400 when it is not a number. */
export function revisionOf(version: string): number {
  if (version === '') return 0
  if (/^\d{1,15}$/.test(version)) return Number(version)
  throw new Refusal(
    errors.badRequest(
      `Invalid value: ${JSON.stringify(version)}: strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`,
    ),
  )
}

function limitOf(query: URLSearchParams): number | undefined {
  const text = query.get('limit') ?? ''
  if (text === '' || text === '0') return undefined
  if (!/^\d{1,18}$/.test(text))
    throw new Refusal(
      errors.badRequest(`limit: Invalid value: ${JSON.stringify(text)}: must be a non-negative integer`),
    )
  return Number(text)
}

/** Upstream's token: base64url of version, revision and the key right after the last one, relative to the list's prefix. */
function encodeContinue(revision: number, lastKey: string, prefix: string): string {
  const start = `${lastKey.slice(prefix.length)}\0`
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url')
}

function decodeContinue(token: string, prefix: string, store: Store): Position {
  let value: { v?: unknown; rv?: unknown; start?: unknown } | null
  try {
    value = JSON.parse(Buffer.from(token, 'base64').toString()) as typeof value
  } catch {
    throw new Refusal(errors.badRequest('continue key is not valid: illegal base64 data or JSON'))
  }
  const { v, rv, start } = value ?? {}
  if (v !== 'meta.k8s.io/v1')
    throw new Refusal(
      errors.badRequest(
        `continue key is not valid: server does not recognize this encoded version ${JSON.stringify(v)}`,
      ),
    )
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv < 1 || typeof start !== 'string' || start === '')
    throw new Refusal(errors.badRequest('continue key is not valid: incorrect encoded start resourceVersion or key'))
  if (rv > store.revision)
    throw new Refusal(errors.badRequest('continue key is not valid: it names a resourceVersion that does not exist'))
  return { revision: rv, from: prefix + start }
}

function invalidOptions(field: string, message: string): Refusal {
  const cause = { reason: 'FieldValueForbidden' as const, field, message }
  return new Refusal(errors.invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [cause]))
}

/** A page in the form that the client asked for. */
export function renderPage(kind: Kind, page: Page, form: Form, include: IncludeObject): Buffer | string {
  const metadata = {
    resourceVersion: String(page.revision),
    ...(page.next === undefined ? {} : { continue: page.next }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  }
  switch (form.kind) {
    case 'json':
    case 'yaml':
      return renderList(kind, metadata, page.entries)
    case 'partial': {
      const items = page.entries.map((entry) => renderPartial(entry.value, form.version))
      const head = `"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${form.version}"`
      return `{${head},"metadata":${JSON.stringify(metadata)},"items":[${items.join(',')}]}`
    }
    case 'table': {
      const now = new Date()
      const rows = page.entries.map((entry) => renderRow(kind, entry, include, form.version, now))
      return renderTable(form.version, metadata, renderColumns(kind), rows)
    }
    default:
      return form satisfies never
  }
}

const comma = Buffer.from(',')

function renderList(kind: Kind, metadata: object, entries: readonly Entry[]): Buffer {
  const name = isCustom(kind) ? kind.custom.listKind : `${kind.kind}List`
  const head = `{"kind":${JSON.stringify(name)},"apiVersion":${JSON.stringify(apiVersionOf(kind))},"metadata":${JSON.stringify(metadata)},"items":[`
  const parts: Buffer[] = [Buffer.from(head)]
  for (const [index, entry] of entries.entries()) {
    if (index > 0) parts.push(comma)
    parts.push(entryAs(kind, entry).json)
  }
  parts.push(Buffer.from(']}'))
  return Buffer.concat(parts)
}
