import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { configMap, startTestServer, type TestServer } from './server.fixture.ts'
import { patching, startWebhook, type TestWebhook } from './webhook.fixture.ts'

const root = '/apis/admissionregistration.k8s.io/v1'
const maps = '/api/v1/namespaces/default/configmaps'

let context: TestServer
let hook: TestWebhook
before(async () => {
  context = await startTestServer()
  hook = await startWebhook()
})
after(async () => {
  await context[Symbol.asyncDispose]()
  await hook[Symbol.asyncDispose]()
})

const rule = { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }

function webhook(path: string, more: object = {}) {
  return {
    name: `${path.slice(1)}.example.com`,
    clientConfig: { url: `https://127.0.0.1:${hook.port}${path}`, caBundle: hook.caBundle },
    rules: [rule],
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    objectSelector: { matchLabels: { test: path.slice(1) } },
    ...more,
  }
}

async function install(mutating: boolean, name: string, ...webhooks: object[]): Promise<() => Promise<void>> {
  const kind = mutating ? 'MutatingWebhookConfiguration' : 'ValidatingWebhookConfiguration'
  const path = `${root}/${kind.toLowerCase()}s`
  const made = await context.client.call('POST', path, { metadata: { name }, webhooks })
  assert.equal(made.code, 201, made.text)
  return async () => void (await context.client.call('DELETE', `${path}/${name}`))
}

const labelled = (name: string, test: string, data = {}) => configMap(name, data, { test })

test('a mutating webhook changes what is stored, and sees what was asked', async () => {
  const gone = await install(true, 'm', webhook('/mutate'))
  hook.on('/mutate', ({ operation }) =>
    operation === 'DELETE' ? { allowed: true } : patching({ op: 'add', path: '/data/added', value: operation }),
  )
  const made = await context.client.call('POST', maps, labelled('m1', 'mutate', { own: '1' }))
  assert.deepEqual(made.body.data, { own: '1', added: 'CREATE' })
  const { request } = hook.asked.at(-1)!
  assert.deepEqual(request.resource, { group: '', version: 'v1', resource: 'configmaps' })
  assert.deepEqual(request.kind, { group: '', version: 'v1', kind: 'ConfigMap' })
  assert.equal(request.userInfo.username, 'admin')
  assert.equal(request.options.kind, 'CreateOptions')
  assert.deepEqual(request.object.data, { own: '1' })
  assert.equal(request.oldObject, null)
  const patched = await context.client.call('PATCH', `${maps}/m1`, { data: { own: '2' } })
  assert.deepEqual(patched.body.data, { own: '2', added: 'UPDATE' })
  assert.equal(hook.asked.at(-1)!.request.oldObject.data.added, 'CREATE')
  const applied = await context.client.call(
    'PATCH',
    `${maps}/m2?fieldManager=t`,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm2', labels: { test: 'mutate' } }, data: {} },
    { 'content-type': 'application/apply-patch+yaml' },
  )
  assert.deepEqual([applied.code, applied.body.data], [201, { added: 'CREATE' }])
  const before = hook.asked.length
  await context.client.call('DELETE', `${maps}?labelSelector=test=mutate`)
  assert.deepEqual(
    hook.asked.slice(before).map(({ request }) => [request.operation, request.object]),
    [
      ['DELETE', null],
      ['DELETE', null],
    ],
  )
  await gone()
})

test('a validating webhook refuses in its own words, warns, and is not asked about what its selectors leave out', async () => {
  const gone = await install(false, 'v', webhook('/refuse'))
  hook.on('/refuse', () => ({ allowed: false, status: { message: 'not today', code: 418 }, warnings: ['think again'] }))
  const refused = await context.client.call('POST', maps, labelled('v1', 'refuse'))
  assert.equal(refused.code, 418)
  assert.equal(refused.body.message, 'admission webhook "refuse.example.com" denied the request: not today')
  assert.equal(refused.headers.warning, '299 - "think again"')
  hook.on('/refuse', () => ({ allowed: false }))
  const silent = await context.client.call('POST', maps, labelled('v1', 'refuse'))
  assert.equal(silent.code, 400)
  assert.equal(silent.body.message, 'admission webhook "refuse.example.com" denied the request without explanation')
  const before = hook.asked.length
  assert.equal((await context.client.call('POST', maps, configMap('v2'))).code, 201)
  assert.equal(hook.asked.length, before)
  // A label that goes is still the old object's.
  await context.client.call('PATCH', `${maps}/v2`, { metadata: { labels: { test: 'x' } } })
  await gone()
  assert.equal((await context.client.call('POST', maps, labelled('v3', 'refuse'))).code, 201)
})

test('conditions, namespaces and operations decide who is asked', async () => {
  const conditions = [{ name: 'big', expression: "has(object.data) && object.data.size == 'big'" }]
  const gone = await install(
    false,
    'c',
    webhook('/condition', { matchConditions: conditions }),
    webhook('/elsewhere', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }),
    webhook('/deletes', { rules: [{ ...rule, operations: ['DELETE'] }], objectSelector: {} }),
  )
  const asked = async (work: () => Promise<unknown>) => {
    const before = hook.asked.length
    await work()
    return hook.asked.slice(before).map(({ path }) => path)
  }
  const post = (name: string, test: string, data = {}, space = 'default') =>
    context.client.call('POST', maps.replace('default', space), labelled(name, test, data))
  assert.deepEqual(await asked(() => post('c1', 'condition', { size: 'small' })), [])
  assert.deepEqual(await asked(() => post('c2', 'condition', { size: 'big' })), ['/condition'])
  assert.deepEqual(await asked(() => post('c3', 'elsewhere')), [])
  assert.deepEqual(await asked(() => post('c3', 'elsewhere', {}, 'kube-system')), ['/elsewhere'])
  assert.deepEqual(await asked(() => context.client.call('DELETE', `${maps}/c3`)), ['/deletes'])
  await gone()
})

test('a webhook that fails refuses or is left out, as its policy says', async () => {
  const gone = await install(
    false,
    'f',
    webhook('/broken'),
    webhook('/optional', { failurePolicy: 'Ignore' }),
    webhook('/slow', { timeoutSeconds: 1 }),
    webhook('/nowhere', { clientConfig: { service: { name: 'nothing', namespace: 'default' } } }),
    webhook('/untrusted', { clientConfig: { url: `https://127.0.0.1:${hook.port}/untrusted` } }),
    webhook('/closed', { clientConfig: { url: 'https://127.0.0.1:1/closed' } }),
  )
  hook.on('/broken', () => 'no json')
  hook.on('/optional', () => 'no json')
  hook.on('/slow', () => 'never')
  const post = (name: string) => context.client.call('POST', maps, labelled(name, name))
  const fails = async (name: string, expected: RegExp) => {
    const answer = await post(name)
    assert.equal(answer.code, 500, answer.text)
    assert.match(answer.body.message, expected)
  }
  await fails(
    'broken',
    /^Internal error occurred: failed calling webhook "broken.example.com": failed to call webhook: couldn't get version/,
  )
  const url = `Post "https://127.0.0.1:${hook.port}/slow?timeout=1s": context deadline exceeded`
  await fails(
    'slow',
    new RegExp(`failed calling webhook "slow.example.com": failed to call webhook: ${url.replaceAll('?', '\\?')}`),
  )
  await fails('nowhere', /service "nothing" not found/)
  await fails('untrusted', /failed to verify certificate/)
  await fails('closed', /connect: connection refused/)
  assert.equal((await post('optional')).code, 201)
  await gone()
})

test('answers that are none are told apart', async () => {
  const gone = await install(true, 'a', webhook('/answer'))
  const review = (response: object) =>
    JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response })
  for (const [reply, expected] of [
    ['{}', 'expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind='],
    [review({ uid: 'x', allowed: true }), 'expected response.uid="'],
    [{ allowed: true, patch: 'W10=' }, 'webhook returned response.patch but not response.patchType'],
    [{ allowed: true, patch: 'W10=', patchType: 'X' }, 'webhook returned invalid response.patchType of "X"'],
    ['x'.repeat(4 * 1024 * 1024), 'the answer is larger than'],
    [patching({ op: 'remove', path: '/data/none' }), 'admission webhook "answer.example.com": '],
    [patching({ op: 'replace', path: '/metadata', value: 3 }), 'the object has no metadata'],
  ] as const) {
    hook.on('/answer', () => reply)
    const answer = await context.client.call('POST', maps, labelled('a1', 'answer'))
    assert.equal(answer.code, 500, answer.text)
    assert.ok(answer.body.message.includes(expected), answer.body.message)
  }
  await gone()
})

test('webhooks follow one another, and one that asks for it sees later changes', async () => {
  const gone = await install(
    true,
    'r',
    webhook('/first', { reinvocationPolicy: 'IfNeeded', objectSelector: { matchLabels: { test: 'order' } } }),
    webhook('/second', { objectSelector: { matchLabels: { test: 'order' } } }),
  )
  hook.on('/first', ({ object }) =>
    patching({ op: 'add', path: '/data/seen', value: Object.keys(object.data).sort().join() }),
  )
  hook.on('/second', ({ object }) => patching({ op: 'add', path: '/data/second', value: object.data.seen }))
  const made = await context.client.call('POST', maps, labelled('r1', 'order', { a: '1' }))
  assert.deepEqual(made.body.data, { a: '1', second: 'a', seen: 'a,second,seen' })
  await gone()
})

test('an object that changes while its webhook thinks is asked about again', async () => {
  await context.client.call('POST', maps, labelled('race', 'race', { n: '0' }))
  const gone = await install(
    true,
    'race',
    webhook('/race', {
      matchConditions: [{ name: 'own', expression: "request.?options.?fieldManager.orValue('') == 'me'" }],
    }),
  )
  let interfere = true
  const sides: Promise<unknown>[] = []
  hook.on('/race', () => {
    // The other write is done before this answer arrives: both go through one event loop.
    if (interfere) sides.push(context.client.call('PATCH', `${maps}/race`, { data: { other: '1' } }))
    interfere = false
    return patching({ op: 'add', path: '/data/hook', value: 'yes' })
  })
  const before = hook.asked.length
  const answer = await context.client.call('PATCH', `${maps}/race?fieldManager=me`, { data: { n: '1' } })
  await Promise.all(sides)
  const final = (await context.client.call('GET', `${maps}/race`)).body.data
  assert.equal(answer.code, 200)
  assert.deepEqual(final, { n: '1', other: '1', hook: 'yes' })
  assert.ok(hook.asked.length > before)
  await gone()
})

test('subresources: a Scale, a status, a binding; dry runs say so', async () => {
  const gone = await install(
    true,
    's',
    webhook('/sub', {
      rules: [
        {
          operations: ['*'],
          apiGroups: ['apps', ''],
          apiVersions: ['*'],
          resources: ['deployments/scale', 'pods/binding', '*/status'],
        },
      ],
      objectSelector: {},
    }),
  )
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const spec = { replicas: 1, selector: { matchLabels: { a: 'b' } }, template }
  const path = '/apis/apps/v1/namespaces/default/deployments'
  await context.client.call('POST', path, { metadata: { name: 'd' }, spec })
  hook.on('/sub', ({ kind }) =>
    kind.kind === 'Scale' ? patching({ op: 'replace', path: '/spec/replicas', value: 7 }) : { allowed: true },
  )
  const scaled = await context.client.call('PATCH', `${path}/d/scale?dryRun=All`, { spec: { replicas: 3 } })
  assert.equal(scaled.body.spec.replicas, 7, scaled.text)
  const { request } = hook.asked.at(-1)!
  assert.deepEqual(
    [request.kind.kind, request.subResource, request.dryRun, request.object.spec.replicas],
    ['Scale', 'scale', true, 3],
  )
  await context.client.call('PATCH', `${path}/d/status`, { status: { replicas: 1 } })
  assert.equal(hook.asked.at(-1)!.request.subResource, 'status')
  const pods = '/api/v1/namespaces/default/pods'
  await context.client.call('POST', pods, {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  })
  const bound = await context.client.call('POST', `${pods}/p/binding`, { target: { kind: 'Node', name: 'n1' } })
  assert.equal(bound.code, 201, bound.text)
  assert.deepEqual(hook.asked.at(-1)!.request.kind, { group: '', version: 'v1', kind: 'Binding' })
  await gone()
})

test('a Service is reached under the name in its certificate', async () => {
  const service = { name: 'hook', namespace: 'default', path: '/service', port: hook.port }
  const gone = await install(false, 'svc', webhook('/service', { clientConfig: { service, caBundle: hook.caBundle } }))
  const post = () => context.client.call('POST', maps, labelled('svc1', 'service'))
  const url = `https://hook.default.svc:${hook.port}/service?timeout=10s`
  const missing = 'Internal error occurred: failed calling webhook "service.example.com": failed to call webhook: '
  assert.equal((await post()).body.message, `${missing}service "hook" not found`)
  const spec = { type: 'ExternalName', externalName: 'localhost' }
  await context.client.call('POST', '/api/v1/namespaces/default/services', { metadata: { name: 'hook' }, spec })
  const made = await post()
  assert.equal(made.code, 201, made.text)
  assert.equal(hook.asked.at(-1)!.path, '/service')
  hook.on('/service', () => ({ allowed: true, patch: 'W10=', patchType: 'JSONPatch' }))
  const wrong = await context.client.call('PATCH', `${maps}/svc1`, { data: { a: url } })
  assert.equal(
    wrong.body.message,
    `${missing.slice(0, -24)}received invalid webhook response: validating webhook may not return response.patch`,
  )
  await gone()
})

test('configurations of admission are never asked about themselves, and are checked', async () => {
  const everything = { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }
  const gone = await install(false, 'all', webhook('/all', { rules: [everything], objectSelector: {} }))
  hook.on('/all', () => ({ allowed: false }))
  assert.equal((await context.client.call('POST', maps, configMap('all'))).code, 400)
  await gone()
  assert.equal((await context.client.call('POST', maps, configMap('all'))).code, 201)
  const bad = { name: 'short', clientConfig: {}, rules: [{}], admissionReviewVersions: ['v9'], timeoutSeconds: 31 }
  const answer = await context.client.call('POST', `${root}/validatingwebhookconfigurations`, {
    metadata: { name: 'bad' },
    webhooks: [bad],
  })
  assert.equal(answer.code, 422)
  assert.deepEqual(
    answer.body.details.causes.map(({ field }: { field: string }) => field),
    [
      'webhooks[0].name',
      'webhooks[0].admissionReviewVersions',
      'webhooks[0].rules[0].operations',
      'webhooks[0].rules[0].apiGroups',
      'webhooks[0].rules[0].apiVersions',
      'webhooks[0].rules[0].resources',
      'webhooks[0].sideEffects',
      'webhooks[0].timeoutSeconds',
      'webhooks[0].clientConfig',
    ],
  )
})

test('a webhook that is cut, killed or cut while it thinks is asked again as soon as it is back', async () => {
  const gone = await install(false, 'fault', webhook('/fault'))
  const post = (name: string) => context.client.call('POST', maps, labelled(name, 'fault'))
  assert.equal((await post('fault-1')).code, 201)
  // The connection that was kept is gone; that is no failure of the webhook.
  hook.cut()
  assert.equal((await post('fault-2')).code, 201)
  hook.on('/fault', () => {
    setImmediate(hook.cut)
    return 'never'
  })
  assert.match(
    (await post('fault-3')).body.message,
    /failed calling webhook "fault.example.com": failed to call webhook: .*: EOF$/,
  )
  hook.on('/fault', () => ({ allowed: true }))
  await hook.stop()
  assert.match((await post('fault-4')).body.message, /connection refused/)
  assert.equal((await context.client.call('GET', `${maps}/fault-4`)).code, 404)
  await hook.revive()
  const began = performance.now()
  assert.equal((await post('fault-5')).code, 201)
  console.log(`a webhook that came back was asked after ${(performance.now() - began).toFixed(1)} ms`)
  await gone()
})

test('twenty writers under one slow webhook keep all their changes', async () => {
  await context.client.call('POST', maps, labelled('busy', 'none'))
  const gone = await install(true, 'busy', webhook('/busy', { objectSelector: { matchLabels: { test: 'none' } } }))
  hook.on('/busy', ({ object }) =>
    patching({
      op: 'add',
      path: '/metadata/annotations',
      value: { keys: String(Object.keys(object.data ?? {}).length) },
    }),
  )
  let refused = 0
  const write = async (i: number): Promise<void> => {
    const { code } = await context.client.call('PATCH', `${maps}/busy`, { data: { [`k${i}`]: '1' } })
    if (code === 200) return
    assert.equal(code, 409)
    refused++
    return write(i)
  }
  await Promise.all(Array.from({ length: 20 }, (_, i) => write(i)))
  const { data, metadata } = (await context.client.call('GET', `${maps}/busy`)).body
  assert.equal(Object.keys(data).length, 20)
  assert.equal(metadata.annotations.keys, '20')
  console.log(`20 writers of one object under a webhook: ${refused} conflicts`)
  await gone()
})
