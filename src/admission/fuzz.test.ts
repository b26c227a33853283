import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compilePolicy } from './policy.ts'
import { deniedStatus, readReview } from './review.ts'

const runs = { numRuns: 500 }
const text = fc.oneof(
  fc.string(),
  fc.constantFrom(
    'true',
    'false',
    'object.a',
    'object.a == 1 && has(object.b)',
    'variables.v',
    'params.x',
    '1/0',
    "matches('a', '(')",
    '[].map(x, x)',
  ),
)

test('any policy judges any object, and what cannot be evaluated fails only a strict one', () => {
  const validations = fc.array(fc.record({ expression: text, messageExpression: text }), { minLength: 1, maxLength: 3 })
  const variables = fc.array(fc.record({ name: fc.constantFrom('v', 'w'), expression: text }), { maxLength: 2 })
  const conditions = fc.array(fc.record({ name: fc.constant('c'), expression: text }), { maxLength: 2 })
  fc.assert(
    fc.property(
      validations,
      variables,
      conditions,
      fc.jsonValue(),
      (validations, variables, matchConditions, object) => {
        const judge = (failurePolicy: string) => {
          const spec = { validations, variables, matchConditions, failurePolicy }
          return compilePolicy({ apiVersion: '', kind: '', metadata: { name: 'p' }, spec })({ object }, null, null)
            .failures
        }
        const strict = judge('Fail')
        assert.ok(judge('Ignore').length <= strict.length)
        for (const { message, reason } of strict) assert.ok(typeof message === 'string' && reason === 'Invalid')
      },
    ),
    runs,
  )
})

test('any answer of a webhook is read or named as none, and a denial is never a success', () => {
  const response = fc.record(
    {
      uid: fc.constantFrom('u', 'v'),
      allowed: fc.anything(),
      status: fc.oneof(fc.jsonValue(), fc.record({ code: fc.integer(), message: fc.string(), reason: fc.string() })),
      patch: fc.oneof(fc.base64String(), fc.jsonValue()),
      patchType: fc.oneof(fc.constant('JSONPatch'), fc.jsonValue()),
      warnings: fc.oneof(fc.jsonValue(), fc.array(fc.string())),
      auditAnnotations: fc.jsonValue(),
    },
    { requiredKeys: ['uid'] },
  )
  const review = fc.record({
    apiVersion: fc.constant('admission.k8s.io/v1'),
    kind: fc.constant('AdmissionReview'),
    response,
  })
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), review), fc.boolean(), (value, mutating) => {
      const answer = readReview(value, 'u', mutating)
      if (typeof answer === 'string') return
      for (const warning of answer.warnings) assert.equal(typeof warning, 'string')
      const { code = 0, status } = deniedStatus('w', answer.status)
      assert.ok(code >= 400 && code < 600 && status === 'Failure')
    }),
    runs,
  )
})
