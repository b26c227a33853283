import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { apiVersionOf, decodeProtobuf, encodeProtobuf, kinds, ProtobufError, schemaOf, structType } from './index.ts'
import { arbitraryObject, withoutEmpty } from './protobuf.fixture.ts'
import { type Element, type Field, findMessage, getMessage, messageOf } from './protobuf-table.ts'
import type { Shape } from './schema.ts'

test('every served kind has a message, and so have reviews and options', () => {
  for (const kind of kinds) assert.ok(messageOf(apiVersionOf(kind), kind.kind), kind.kind)
  const more = [
    'v1 DeleteOptions',
    'apps/v1 DeleteOptions',
    'v1 Status',
    'v1 Binding',
    'policy/v1 Eviction',
    'autoscaling/v1 Scale',
    'authentication.k8s.io/v1 TokenRequest',
    'authentication.k8s.io/v1 TokenReview',
    'authorization.k8s.io/v1 SubjectAccessReview',
    'authorization.k8s.io/v1 SelfSubjectRulesReview',
  ]
  for (const [apiVersion, kind] of more.map((text) => text.split(' '))) assert.ok(messageOf(apiVersion!, kind!), kind)
  for (const [apiVersion, kind] of [
    ['core.example.com/v1', 'Pod'],
    ['gateway.networking.k8s.io/v1', 'Gateway'],
    ['v1', '__proto__'],
  ])
    assert.equal(messageOf(apiVersion!, kind!), undefined)
})

/** The element of a shape as the wire should have it. */
function expected(shape: Shape): string {
  if (shape.kind === 'struct') return 'message'
  if (shape.kind === 'any') return 'raw|fields|schema-or-bool|schema-or-list|schema-or-names|message'
  if (shape.kind !== 'scalar') throw new Error(`${shape.kind} of ${shape.kind}`)
  const names = { boolean: 'bool', byte: 'bytes', 'date-time': 'time', 'date-time-micro': 'micro-time' }
  return shape.scalar in names ? names[shape.scalar as keyof typeof names] : shape.scalar
}

const nameOf = (element: Element) =>
  element.kind === 'message' ? 'message' : element.kind === 'form' ? element.form : element.scalar

/** The fields that JSON shows at the message's place. */
function shown(message: string): Field[] {
  return getMessage(message).fields.flatMap((field) =>
    field.holds === 'inline' && field.element.kind === 'message' ? shown(field.element.message) : [field],
  )
}

test('every field has the type that the OpenAPI description gives it', () => {
  const waiting = kinds.map((kind) => schemaOf(kind)!.key)
  const seen = new Set(waiting)
  let compared = 0
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    if (findMessage(key) === undefined) continue
    const { properties } = structType(key)
    for (const field of shown(key)) {
      const shape = properties.get(field.name)?.shape
      assert.ok(shape, `${key}.${field.name} is not described`)
      const holds = shape.kind === 'list' ? 'list' : shape.kind === 'map' ? 'map' : 'one'
      const item = shape.kind === 'list' ? shape.items : shape.kind === 'map' ? shape.values : shape
      if (nameOf(field.element) !== 'strings') {
        assert.equal(field.holds, holds, `${key}.${field.name}`)
        assert.ok(expected(item).split('|').includes(nameOf(field.element)), `${key}.${field.name}`)
      }
      compared++
      if (item.kind === 'struct' && !seen.has(item.type)) {
        seen.add(item.type)
        waiting.push(item.type)
      }
    }
  }
  assert.ok(compared > 1000, `${compared} fields`)
})

test('bodies of kubectl 1.32 decode to what it prints with --dry-run=client', () => {
  const file = new URL('testdata/kubectl-bodies.json', import.meta.url)
  for (const { command, body, object } of JSON.parse(readFileSync(file, 'utf8'))) {
    const bytes = Buffer.from(body, 'base64')
    const decoded = decodeProtobuf(bytes)
    // Clients do not own it, and Go prints its zeros.
    delete object.status
    const { status: _, ...sent } = decoded.object
    assert.deepEqual(withoutEmpty(sent), withoutEmpty(object), command)
    assert.deepEqual([decoded.apiVersion, decoded.kind], [object.apiVersion, object.kind])
    assert.deepEqual(decodeProtobuf(encodeProtobuf(decoded.object)), decoded, command)
  }
})

test('every kind comes back as it went', () => {
  for (const kind of kinds) {
    const head = { apiVersion: apiVersionOf(kind), kind: kind.kind }
    fc.assert(
      fc.property(arbitraryObject(kind), (value) => {
        const object = { ...value, ...head }
        assert.deepEqual(decodeProtobuf(encodeProtobuf(object)), { ...head, object })
      }),
      { numRuns: 40 },
    )
  }
})

test('whatever is sent, the answer is an object or a ProtobufError', () => {
  const read = (bytes: Buffer) => {
    try {
      JSON.stringify(decodeProtobuf(bytes))
    } catch (error) {
      assert.ok(error instanceof ProtobufError, String(error))
    }
  }
  const magic = Buffer.from('k8s\0')
  const frame = (raw: Buffer) => {
    const pod = encodeProtobuf({ apiVersion: 'v1', kind: 'Pod' })
    return Buffer.concat([pod, Buffer.from([0x12, raw.length & 127]), raw])
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      read(Buffer.from(bytes))
      read(Buffer.concat([magic, bytes]))
      read(frame(Buffer.from(bytes)))
    }),
    { numRuns: 500 },
  )
  const file = new URL('testdata/kubectl-bodies.json', import.meta.url)
  const bodies = (JSON.parse(readFileSync(file, 'utf8')) as { body: string }[]).map(({ body }) =>
    Buffer.from(body, 'base64'),
  )
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.constantFrom(...bodies), edits, fc.option(fc.nat()), (body, changes, cut) => {
      const bytes = Buffer.from(body)
      for (const [at, byte] of changes) bytes[4 + (at % (bytes.length - 4))] = byte
      read(cut === null ? bytes : bytes.subarray(0, cut % bytes.length))
    }),
    { numRuns: 2000 },
  )
})
