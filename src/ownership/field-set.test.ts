import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Element, fieldElement, keyElement, renderPath, valueElement } from './element.ts'
import {
  difference,
  emptySet,
  equalSets,
  type FieldSet,
  has,
  intersection,
  isEmpty,
  leaves,
  pathsOf,
  setOfPaths,
  union,
} from './field-set.ts'
import { holds, meets, parseFieldsV1, renderFieldsV1 } from './fields-v1.ts'

const scalar = fc.oneof(fc.integer({ min: -5, max: 500 }), fc.constantFrom('a', 'b', 'TCP', '"', 'é'), fc.boolean())
const element: fc.Arbitrary<Element> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('spec', 'ports', 'a.b/c', '.', '__proto__', '').map(fieldElement) },
  fc.dictionary(fc.constantFrom('name', 'port', 'protocol'), scalar, { minKeys: 1 }).map(keyElement),
  scalar.map(valueElement),
  fc.nat(30).map((index) => `i:${index}`),
)
const path = fc.array(element, { minLength: 1, maxLength: 4 })
const set: fc.Arbitrary<FieldSet> = fc.array(path, { maxLength: 12 }).map((paths) => setOfPaths(...paths))
const texts = (value: FieldSet) => new Set([...pathsOf(value)].map((item) => JSON.stringify(item)))

test('parse is the inverse of render, also through text', () => {
  fc.assert(
    fc.property(set, (value) => {
      const parsed = parseFieldsV1(JSON.parse(JSON.stringify(renderFieldsV1(value))))
      assert.ok(parsed !== undefined && equalSets(parsed, value))
    }),
  )
})

test('union, intersection and difference are those of the sets of paths', () => {
  fc.assert(
    fc.property(set, set, (a, b) => {
      const [left, right] = [texts(a), texts(b)]
      const only = (from: Set<string>, keep: (text: string) => boolean) => new Set([...from].filter(keep))
      assert.deepEqual(texts(union(a, b)), new Set([...left, ...right]))
      assert.deepEqual(
        texts(intersection(a, b)),
        only(left, (text) => right.has(text)),
      )
      assert.deepEqual(
        texts(difference(a, b)),
        only(left, (text) => !right.has(text)),
      )
      assert.equal(equalSets(a, b), left.size === right.size && [...left].every((text) => right.has(text)))
      assert.equal(isEmpty(difference(a, a)), true)
      assert.equal(union(a, a), a)
      assert.equal(difference(a, emptySet), a)
    }),
  )
})

test('a recursive difference takes what lies below a path, too', () => {
  fc.assert(
    fc.property(set, set, (a, b) => {
      for (const item of pathsOf(difference(a, b, true)))
        for (let length = 1; length <= item.length; length++) assert.equal(has(b, item.slice(0, length)), false)
    }),
  )
})

test('stored JSON is asked without parsing it', () => {
  fc.assert(
    fc.property(set, set, (a, b) => {
      const json = renderFieldsV1(a)
      assert.equal(meets(json, b), !isEmpty(intersection(a, b)))
      assert.equal(holds(json, b), isEmpty(difference(b, a)))
    }),
  )
})

test('leaves have no other path below them', () => {
  const value = setOfPaths(['f:a'], ['f:a', 'f:b'], ['f:c'])
  assert.deepEqual([...pathsOf(leaves(value))], [['f:a', 'f:b'], ['f:c']])
})

test('keys stand in the order of upstream: fields, keys by content, values by content', () => {
  const value = setOfPaths(
    ['v:"b"'],
    ['v:10'],
    ['v:9'],
    ['k:{"port":443,"protocol":"TCP"}', 'f:name'],
    ['k:{"port":80,"protocol":"UDP"}'],
    ['k:{"port":80,"protocol":"TCP"}'],
    ['k:{"port":80,"protocol":"TCP"}', 'f:port'],
    ['f:z'],
    ['f:a'],
  )
  assert.equal(
    JSON.stringify(renderFieldsV1(value)),
    String.raw`{"f:a":{},"f:z":{},"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}},"k:{\"port\":80,\"protocol\":\"UDP\"}":{},"k:{\"port\":443,\"protocol\":\"TCP\"}":{"f:name":{}},"v:9":{},"v:10":{},"v:\"b\"":{}}`,
  )
})

test('what is not FieldsV1 is refused, unknown kinds of steps are left out, keys are made canonical', () => {
  for (const value of [null, [], 'x', { 'f:a': 1 }, { 'k:[]': {} }, { 'k:{': {} }, { 'v:': {} }, { 'i:x': {} }])
    assert.equal(parseFieldsV1(value), undefined, JSON.stringify(value))
  const parsed = parseFieldsV1({ 'x:later': {}, 'k:{"protocol": "TCP", "port": 80.0}': {} })
  assert.deepEqual([...pathsOf(parsed!)], [['k:{"port":80,"protocol":"TCP"}']])
})

test('paths read as in upstream conflicts', () => {
  const rows: [Element[], string][] = [
    [['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name'], '.spec.ports[port=80,protocol="TCP"].name'],
    [['f:metadata', 'f:finalizers', 'v:"a/b"'], '.metadata.finalizers[="a/b"]'],
    [['f:list', 'i:3'], '.list[3]'],
  ]
  for (const [value, text] of rows) assert.equal(renderPath(value), text)
})
