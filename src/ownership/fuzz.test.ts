import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Scene } from './scene.fixture.ts'

// Nobody owns an empty list of items, upstream neither; Go's encoder does not write it.
const nonEmpty = { minLength: 1 }
const value = fc.constantFrom('1', '2', '3')
const pick = <T>(shape: Record<string, fc.Arbitrary<T>>) => fc.record(shape, { requiredKeys: [] })
const labels = fc.dictionary(fc.constantFrom('a', 'b', 'c'), value)
const port = fc.record({
  containerPort: fc.constantFrom(80, 443),
  name: value,
  protocol: fc.constantFrom('TCP', 'UDP'),
})
const container = fc.record({
  name: fc.constantFrom('c', 'd', 'e'),
  image: value,
  env: fc.uniqueArray(fc.record({ name: fc.constantFrom('A', 'B'), value }), {
    ...nonEmpty,
    selector: ({ name }) => name,
  }),
  ports: fc.uniqueArray(port, { ...nonEmpty, selector: (item) => `${item.containerPort}${item.protocol}` }),
  args: fc.array(value, { maxLength: 2 }),
})
const fields = fc.record({
  metadata: pick<unknown>({
    labels,
    annotations: labels,
    finalizers: fc.uniqueArray(fc.constantFrom('x/a', 'x/b'), nonEmpty),
  }),
  spec: pick<unknown>({
    replicas: fc.nat(3),
    paused: fc.boolean(),
    template: fc.record({
      spec: pick<unknown>({
        containers: fc.uniqueArray(container, { selector: ({ name }) => name, minLength: 1 }),
        nodeSelector: labels,
        dnsPolicy: value,
      }),
    }),
  }),
})
const custom = fc.record({ spec: fc.jsonValue({ maxDepth: 3 }).map((json) => ({ json })) })
const managers = ['a', 'b', 'c']
const step = (content: fc.Arbitrary<object>) =>
  fc.record({ manager: fc.constantFrom(...managers), content, plain: fc.boolean() })

for (const [name, apiVersion, kind, content] of [
  ['Deployments', 'apps/v1', 'Deployment', fields],
  ['a custom kind', 'example.com/v1', 'Widget', custom],
] as const) {
  test(`${name}: an apply again is a no-op; when all gave everything up nothing of theirs is left`, () => {
    fc.assert(
      fc.property(fc.array(step(content), { minLength: 1, maxLength: 6 }), (steps) => {
        const scene = new Scene(apiVersion, kind)
        for (const { manager, content } of steps) {
          scene.applied(manager, content, { force: true })
          const before = structuredClone(scene.live)
          scene.applied(manager, content)
          assert.deepEqual(scene.live, before)
        }
        for (const manager of managers) scene.applied(manager, {})
        assert.deepEqual(scene.managedFields, [])
        assert.deepEqual(leavesOf(scene.fields), [])
      }),
      { numRuns: 150 },
    )
  })

  test(`${name}: what an applier applied stands in the object, whatever plain writes went before`, () => {
    fc.assert(
      fc.property(fc.array(step(content), { maxLength: 6 }), content, (steps, last) => {
        const scene = new Scene(apiVersion, kind)
        for (const { manager, content, plain } of steps) {
          if (plain) scene.update(manager, content)
          else scene.applied(manager, content, { force: true })
        }
        scene.applied('last', last, { force: true })
        const before = structuredClone(scene.live)
        scene.applied('last', last)
        assert.deepEqual(scene.live, before)
      }),
      { numRuns: 150 },
    )
  })
}

/** The scalars of a value; containers that became empty hold nothing of anybody. */
function leavesOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value]
  return Object.values(value).flatMap(leavesOf)
}
