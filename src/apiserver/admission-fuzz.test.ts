import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configMap, startTestServer } from './server.fixture.ts'

const root = '/apis/admissionregistration.k8s.io/v1'

const word = fc.constantFrom('*', '', 'CREATE', 'v1', 'configmaps', 'pods/*', '*/*', 'x')
const rule = fc.record(
  {
    operations: fc.array(word, { maxLength: 2 }),
    apiGroups: fc.array(word, { maxLength: 2 }),
    apiVersions: fc.array(word, { maxLength: 2 }),
    resources: fc.array(word, { maxLength: 2 }),
    scope: word,
  },
  { requiredKeys: [] },
)
const good = { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['configmaps'] }
/** Mostly what is accepted, so that it has a say in writes, and sometimes anything else. */
const mostly = <A, B>(usual: fc.Arbitrary<A>, other: fc.Arbitrary<B>): fc.Arbitrary<A | B> =>
  fc.oneof({ weight: 15, arbitrary: usual }, { weight: 1, arbitrary: other })

const expression = mostly(
  fc.constantFrom('true', 'false', 'object.data.x', 'request.name == 1', 'variables.a', 'params', '[1].map(x, x/0)'),
  fc.string(),
)
const selector = mostly(
  fc.constantFrom({}, { matchLabels: { a: 'b' } }),
  fc.oneof(fc.jsonValue(), fc.record({ matchLabels: fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }) })),
)
const named = fc.record({ name: mostly(fc.constantFrom('a', 'b'), fc.constant('')), expression })

const policySpec = fc.record(
  {
    matchConstraints: fc.record(
      {
        resourceRules: mostly(fc.constant([good]), fc.array(rule, { maxLength: 2 })),
        objectSelector: selector,
        namespaceSelector: selector,
      },
      { requiredKeys: ['resourceRules'] },
    ),
    validations: fc.array(
      fc.record(
        { expression, messageExpression: expression, reason: mostly(fc.constant('Invalid'), fc.constant('Odd')) },
        { requiredKeys: ['expression'] },
      ),
      { maxLength: 2 },
    ),
    variables: fc.array(named, { maxLength: 1 }),
    matchConditions: fc.array(named, { maxLength: 1 }),
    auditAnnotations: fc.array(
      fc.record({ key: mostly(fc.constant('k'), fc.constant('/')), valueExpression: expression }),
      {
        maxLength: 2,
      },
    ),
    failurePolicy: mostly(fc.constantFrom('Fail', 'Ignore'), fc.constant('x')),
    paramKind: mostly(fc.constant({ apiVersion: 'v1', kind: 'ConfigMap' }), fc.jsonValue()),
  },
  { requiredKeys: ['matchConstraints', 'validations'] },
)
const bindingSpec = fc.record(
  {
    validationActions: mostly(fc.constantFrom(['Deny'], ['Warn', 'Audit']), fc.constantFrom(['Deny', 'Warn'], [])),
    paramRef: mostly(
      fc.record({ name: fc.constant('a'), parameterNotFoundAction: fc.constantFrom('Deny', 'Allow') }),
      fc.jsonValue(),
    ),
    matchResources: fc.record(
      { resourceRules: fc.array(rule, { maxLength: 1 }), objectSelector: selector },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['validationActions'] },
)
const webhooks = fc.array(
  fc.record(
    {
      name: fc.constantFrom('a.b.c', 'x'),
      clientConfig: fc.constantFrom(
        { url: 'https://127.0.0.1:1/' },
        { service: { name: 'n', namespace: 'default' } },
        { url: 'ftp://x#' },
        {},
      ),
      rules: fc.array(rule, { maxLength: 2 }),
      admissionReviewVersions: fc.constantFrom(['v1'], ['v9']),
      sideEffects: fc.constantFrom('None', 'Some'),
      failurePolicy: fc.constant('Ignore'),
      matchConditions: fc.array(named, { maxLength: 2 }),
      namespaceSelector: selector,
      timeoutSeconds: fc.integer({ min: 0, max: 40 }),
    },
    { requiredKeys: ['name', 'clientConfig', 'failurePolicy'] },
  ),
  { maxLength: 2 },
)

test('any configuration of admission is stored or refused, and any write under it is answered without a 500', {
  timeout: 300_000,
}, async () => {
  await using context = await startTestServer()
  const { client } = context
  const accepted = { policies: 0, bindings: 0, webhooks: 0 }
  const post = async (plural: string, object: object) => {
    const answer = await client.call('POST', `${root}/${plural}`, object)
    assert.ok([201, 400, 422].includes(answer.code), answer.text)
    return answer.code === 201
  }
  await fc.assert(
    fc.asyncProperty(policySpec, bindingSpec, webhooks, async (policy, binding, hooks) => {
      const metadata = { name: 'fuzz' }
      if (await post('validatingadmissionpolicies', { metadata, spec: policy })) accepted.policies++
      const bound = { metadata, spec: { policyName: 'fuzz', ...binding } }
      if (await post('validatingadmissionpolicybindings', bound)) accepted.bindings++
      if (await post('mutatingwebhookconfigurations', { metadata, webhooks: hooks })) accepted.webhooks++
      const answer = await client.call(
        'POST',
        '/api/v1/namespaces/default/configmaps',
        configMap('a', { x: '1' }, { a: 'b' }),
      )
      assert.ok(answer.code < 500, answer.text)
      for (const plural of [
        'validatingadmissionpolicies',
        'validatingadmissionpolicybindings',
        'mutatingwebhookconfigurations',
        'validatingwebhookconfigurations',
      ])
        await client.call('DELETE', `${root}/${plural}`)
      await client.call('DELETE', '/api/v1/namespaces/default/configmaps/a')
    }),
    { numRuns: 300 },
  )
  for (const count of Object.values(accepted)) assert.ok(count > 10, JSON.stringify(accepted))
})
