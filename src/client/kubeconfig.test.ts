import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readKubeconfig } from './kubeconfig.ts'

const config = (user: string) => `
apiVersion: v1
kind: Config
current-context: lab
contexts: [{name: lab, context: {cluster: c, user: u, namespace: web}}, {name: lost, context: {cluster: x, user: u}}]
clusters: [{name: c, cluster: {server: "https://172.30.0.2:6443", certificate-authority-data: ${Buffer.from('CA').toString('base64')}, tls-server-name: api}}]
users: [{name: u, user: ${user}}]
`

test('inline data, token, namespace, server name', () => {
  const { token, ...rest } = readKubeconfig(config('{token: t0}'))
  assert.equal(token?.(), 't0')
  assert.deepEqual(rest, { server: 'https://172.30.0.2:6443', ca: 'CA', serverName: 'api', namespace: 'web' })
})

test('JSON is read without YAML', () => {
  const json = {
    'current-context': 'a',
    contexts: [{ name: 'a', context: { cluster: 'a' } }],
    clusters: [{ name: 'a', cluster: { server: 'http://x' } }],
  }
  assert.deepEqual(readKubeconfig(JSON.stringify(json)), { server: 'http://x' })
})

for (const [user, context, message] of [
  [
    '{exec: {command: aws}}',
    undefined,
    /user "u" needs the exec plugin "aws", which is not run; use a client certificate or a token/,
  ],
  ['{auth-provider: {name: gcp}}', undefined, /needs the auth-provider plugin/],
  ['{}', 'prod', /there is no context "prod" \(known: lab, lost\)/],
  ['{}', 'lost', /there is no cluster "x" \(known: c\)/],
] as const)
  test(`refuses: ${message}`, () => assert.throws(() => readKubeconfig(config(user), context), message))
