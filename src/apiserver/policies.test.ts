import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { configMap, startTestServer, type TestServer } from './server.fixture.ts'

const root = '/apis/admissionregistration.k8s.io/v1'
const maps = '/api/v1/namespaces/default/configmaps'

let context: TestServer
before(async () => {
  context = await startTestServer()
})
after(() => context[Symbol.asyncDispose]())

const rules = [{ operations: ['CREATE', 'UPDATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }]

async function create(path: string, object: object): Promise<void> {
  const answer = await context.client.call('POST', path, object)
  assert.equal(answer.code, 201, answer.text)
}

/** Makes a policy and a binding of that name for ConfigMaps labelled with it. */
async function install(name: string, policy: object, binding: object = {}): Promise<() => Promise<void>> {
  const matchConstraints = { resourceRules: rules, objectSelector: { matchLabels: { test: name } } }
  await create(`${root}/validatingadmissionpolicies`, { metadata: { name }, spec: { matchConstraints, ...policy } })
  const spec = { policyName: name, validationActions: ['Deny'], ...binding }
  await create(`${root}/validatingadmissionpolicybindings`, { metadata: { name: `${name}-b` }, spec })
  return async () => {
    await context.client.call('DELETE', `${root}/validatingadmissionpolicybindings/${name}-b`)
    await context.client.call('DELETE', `${root}/validatingadmissionpolicies/${name}`)
  }
}

const post = (name: string, test: string, data: Record<string, string> = {}, headers = {}) =>
  context.client.call('POST', maps, configMap(name, data, { test }), headers)

test('a policy denies in upstream’s words, by message, by expression and by the rule itself', async () => {
  const gone = await install('deny', {
    variables: [{ name: 'count', expression: 'size(object.data)' }],
    validations: [
      { expression: '!has(object.data.a)', message: 'a is not wanted' },
      {
        expression: 'variables.count < 3',
        messageExpression: "'at most 2, not ' + string(variables.count)",
        reason: 'Forbidden',
      },
      { expression: '!has(object.data.c)' },
    ],
  })
  const told = async (data: Record<string, string>) => {
    const { code, body } = await post('d1', 'deny', data)
    return [code, body.reason, body.message]
  }
  const denied = `configmaps "d1" is forbidden: ValidatingAdmissionPolicy 'deny' with binding 'deny-b' denied request: `
  assert.deepEqual(await told({ a: '1' }), [422, 'Invalid', `${denied}a is not wanted`])
  assert.deepEqual(await told({ x: '1', y: '1', z: '1' }), [403, 'Forbidden', `${denied}at most 2, not 3`])
  assert.deepEqual(await told({ c: '1' }), [422, 'Invalid', `${denied}failed expression: !has(object.data.c)`])
  assert.equal((await post('d1', 'deny', { b: '1' })).code, 201)
  const patched = await context.client.call('PATCH', `${maps}/d1`, { data: { a: '2' } })
  assert.equal(patched.code, 422)
  assert.equal((await context.client.call('DELETE', `${maps}/d1`)).code, 200)
  await gone()
})

test('warnings instead of refusals, and conditions that leave a write out', async () => {
  const gone = await install(
    'warn',
    {
      matchConditions: [{ name: 'not-me', expression: "request.userInfo.username != 'other'" }],
      validations: [{ expression: 'object.metadata.name.startsWith("ok")' }],
    },
    { validationActions: ['Warn', 'Audit'] },
  )
  const warned = await post('w1', 'warn')
  assert.equal(warned.code, 201)
  const text = `Validation failed for ValidatingAdmissionPolicy 'warn' with binding 'warn-b': failed expression: object.metadata.name.startsWith(\\"ok\\")`
  assert.equal(warned.headers.warning, `299 - "${text}"`)
  assert.equal((await post('ok1', 'warn')).headers.warning, undefined)
  const other = await post('w2', 'warn', {}, { 'impersonate-user': 'other', 'impersonate-group': 'system:masters' })
  assert.deepEqual([other.code, other.headers.warning], [201, undefined])
  await gone()
})

test('an expression that cannot be evaluated decides as failurePolicy says', async () => {
  const validations = [{ expression: 'object.nothing.here == 1' }]
  const strict = await install('strict', { validations })
  const refused = await post('s1', 'strict')
  assert.equal(refused.code, 422)
  assert.match(refused.body.message, /denied request: expression 'object.nothing.here == 1' resulted in error: /)
  await strict()
  const lenient = await install('lenient', { validations, failurePolicy: 'Ignore' })
  assert.equal((await post('s1', 'lenient')).code, 201)
  await lenient()
})

test('parameters come by name or by selector, and their absence is decided by the binding', async () => {
  await create(maps, configMap('limits', { max: '1' }))
  const policy = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    validations: [
      { expression: 'size(object.data) <= int(params.data.max)', messageExpression: "'max ' + params.data.max" },
    ],
  }
  const byName = await install('params', policy, { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } })
  assert.match((await post('p1', 'params', { a: '1', b: '1' })).body.message, /denied request: max 1$/)
  assert.equal((await post('p1', 'params', { a: '1' })).code, 201)
  await context.client.call('DELETE', `${maps}/limits`)
  assert.match(
    (await post('p2', 'params')).body.message,
    /denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction$/,
  )
  await byName()
  const selector = { matchLabels: { role: 'limit' } }
  const bySelector = await install('params', policy, { paramRef: { selector, parameterNotFoundAction: 'Allow' } })
  assert.equal((await post('p3', 'params', { a: '1', b: '1' })).code, 201)
  await create(maps, configMap('limit-0', { max: '5' }, { role: 'limit' }))
  await create(maps, configMap('limit-1', { max: '0' }, { role: 'limit' }))
  assert.match((await post('p4', 'params', { a: '1' })).body.message, /denied request: max 0$/)
  await bySelector()
})

test('namespaceObject, request and authorizer are there', async () => {
  const gone = await install('vars', {
    validations: [
      { expression: "namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == request.namespace" },
      { expression: "request.operation == 'CREATE' && request.resource.resource == 'configmaps' && oldObject == null" },
      {
        expression: "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()",
        message: 'no secrets',
      },
      {
        expression:
          "authorizer.requestResource.check('delete').allowed() && authorizer.path('/metrics').check('get').allowed()",
      },
      {
        expression:
          "!authorizer.serviceAccount('default', 'default').group('').resource('nodes').check('list').allowed()",
      },
    ],
  })
  const answer = await post('v1', 'vars')
  assert.equal(answer.code, 201, answer.text)
  await create('/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles', {
    metadata: { name: 'maps' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['*'] }],
  })
  await create('/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', {
    metadata: { name: 'maps' },
    roleRef: { kind: 'Role', name: 'maps' },
    subjects: [{ kind: 'User', name: 'jane' }],
  })
  const refused = await post('v2', 'vars', {}, { 'impersonate-user': 'jane' })
  assert.match(refused.body.message, /denied request: no secrets$/)
  await gone()
})

test('bindings narrow a policy, and rules can be taken out', async () => {
  const gone = await install(
    'narrow',
    {
      matchConstraints: {
        resourceRules: rules,
        objectSelector: { matchLabels: { test: 'narrow' } },
        excludeResourceRules: [{ ...rules[0], resourceNames: ['free'] }],
      },
      validations: [{ expression: 'false', message: 'never' }],
    },
    { matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } } },
  )
  assert.equal((await post('n1', 'narrow')).code, 422)
  assert.equal((await post('free', 'narrow')).code, 201)
  const elsewhere = maps.replace('default', 'kube-system')
  assert.equal((await context.client.call('POST', elsewhere, configMap('n1', {}, { test: 'narrow' }))).code, 201)
  await gone()
})

test('what cannot be understood is refused when a policy is made', async () => {
  const spec = {
    matchConstraints: { resourceRules: rules },
    validations: [{ expression: 'object.x ==', reason: 'Odd' }],
    variables: [{ name: '1', expression: '1 +' }],
  }
  const answer = await context.client.call('POST', `${root}/validatingadmissionpolicies`, {
    metadata: { name: 'bad' },
    spec,
  })
  assert.equal(answer.code, 422)
  const causes = answer.body.details.causes as { field: string; message: string }[]
  assert.deepEqual(
    causes.map(({ field }) => field),
    [
      'spec.variables[0].name',
      'spec.validations[0].reason',
      'spec.variables[0].expression',
      'spec.validations[0].expression',
    ],
  )
  assert.match(causes[3]!.message, /Invalid value: "object.x ==": compilation failed: /)
})

test('a policy says who may connect to pods, and by which command', async () => {
  const spec = { nodeName: 'nowhere', containers: [{ name: 'c', image: 'i' }] }
  await create('/api/v1/namespaces/default/pods', { metadata: { name: 'p' }, spec })
  const resources = ['pods/exec', 'pods/attach', 'pods/portforward']
  const gone = await install('connect', {
    matchConstraints: {
      resourceRules: [{ operations: ['CONNECT'], apiGroups: [''], apiVersions: ['v1'], resources }],
    },
    validations: [
      { expression: "!has(object.command) || object.command[0] != 'sh'", message: 'no shells' },
      { expression: "request.subResource != 'attach' || object.stdin == false", message: 'look, but do not touch' },
      { expression: '!has(object.ports) || object.ports.all(port, port != 22)', message: 'not that port' },
    ],
  })
  const connect = async (target: string): Promise<string> => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': 'v5.channel.k8s.io',
    }
    const { body } = await context.client.call('GET', `/api/v1/namespaces/default/pods/p/${target}`, undefined, headers)
    return body.message
  }
  const denied = `pods "p" is forbidden: ValidatingAdmissionPolicy 'connect' with binding 'connect-b' denied request: `
  assert.equal(await connect('exec?command=sh&command=-c&stdout=true'), `${denied}no shells`)
  assert.equal(await connect('attach?stdin=true&stdout=true'), `${denied}look, but do not touch`)
  assert.equal(await connect('portforward?ports=80&ports=22'), `${denied}not that port`)
  // Allowed: what is in the way now is that the node is nowhere.
  for (const target of ['exec?command=ls&stdout=true', 'attach?stdout=true&stdin=false', 'portforward?ports=80'])
    assert.doesNotMatch(await connect(target), /denied request/)
  await gone()
})

test('the safe-upgrade policy of Gateway API keeps experimental and old definitions out', async () => {
  // Its expressions as published, around the definitions that the project carries.
  const channel = "'gateway.networking.k8s.io/channel'"
  const version = "object.metadata.annotations['gateway.networking.k8s.io/bundle-version']"
  const group = "object.spec.group != 'gateway.networking.k8s.io'"
  const is = (object: string, value: string) =>
    `has(${object}.metadata.annotations) && ${object}.metadata.annotations.exists(k, k == ${channel}) && ${object}.metadata.annotations[${channel}] == '${value}'`
  const name = 'safe-upgrades.gateway.networking.k8s.io'
  const definitions = { ...rules[0]!, apiGroups: ['apiextensions.k8s.io'] }
  await create(`${root}/validatingadmissionpolicies`, {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [{ ...definitions, resources: ['*'] }] },
      validations: [
        {
          expression: `${group} || oldObject == null || ( ${is('object', 'standard')} ) || ( oldObject != null && ${is('oldObject', 'experimental')} )`,
          message: 'no experimental definitions',
        },
        {
          expression: `${group} || (has(object.metadata.annotations) && ( matches(${version}, '-(rc)') || ( !matches(${version}, 'v1.[0-5].\\\\d+') && !matches(${version}, 'v0') )))`,
          message: 'too old',
        },
      ],
    },
  })
  await create(`${root}/validatingadmissionpolicybindings`, {
    metadata: { name },
    spec: {
      policyName: name,
      validationActions: ['Deny'],
      matchResources: { resourceRules: [{ ...definitions, resources: ['customresourcedefinitions'] }] },
    },
  })
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const definition = JSON.parse(
    readFileSync(new URL('../../crds/gateway-api/gatewayclasses.json', import.meta.url), 'utf8'),
  )
  const annotated = (release: string, channel: string) => ({
    ...definition,
    metadata: {
      ...definition.metadata,
      annotations: {
        ...definition.metadata.annotations,
        'gateway.networking.k8s.io/bundle-version': release,
        'gateway.networking.k8s.io/channel': channel,
      },
    },
  })
  const old = await context.client.call('POST', path, annotated('v1.2.1', 'standard'))
  assert.match(
    old.body.message,
    /^customresourcedefinitions.apiextensions.k8s.io "gatewayclasses.gateway.networking.k8s.io" is forbidden: .* denied request: too old$/,
  )
  await create(path, annotated('v1.6.0', 'standard'))
  const itself = `${path}/gatewayclasses.gateway.networking.k8s.io`
  const experimental = await context.client.call('PATCH', itself, {
    metadata: annotated('v1.6.0', 'experimental').metadata,
  })
  assert.match(experimental.body.message, /denied request: no experimental definitions$/)
  assert.equal((await context.client.call('PATCH', itself, { metadata: { labels: { a: 'b' } } })).code, 200)
})
