import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import WebSocket, { WebSocketServer } from 'ws'
import { issueKubeletCertificate } from './index.ts'
import { startTestServer, type TestClient, type TestServer } from './server.fixture.ts'

const pods = '/api/v1/namespaces/default/pods'
let context: TestServer
let client: TestClient
let kubelet: Server
const seen: { url: string; user: string | undefined }[] = []

// A kubelet that tells who called it, and echoes what exec sends.
before(async () => {
  context = await startTestServer()
  client = context.client
  const { authority } = context.certificates
  const own = await issueKubeletCertificate(authority, 'n1', ['127.0.0.1'])
  kubelet = createServer(
    { ...own, ca: authority.cert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      seen.push({ url: request.url!, user: commonName(request.socket as TLSSocket) })
      if (request.url!.includes('previous=true')) return void response.writeHead(400).end('no previous container\n')
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write('line 1\n')
      response.end('line 2\n')
    },
  )
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v5.channel.k8s.io' })
  kubelet.on('upgrade', (request, socket, head) => {
    seen.push({ url: request.url!, user: commonName(request.socket as TLSSocket) })
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('message', (data) => webSocket.send(Buffer.concat([Buffer.from('\x01'), data as Buffer])))
    })
  })
  await new Promise<void>((resolve) => kubelet.listen(0, '127.0.0.1', resolve))
  const { port } = kubelet.address() as AddressInfo
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  }
  await client.call('POST', '/api/v1/nodes', { metadata: { name: 'n1' }, status })
  const two = [
    { name: 'a', image: 'i' },
    { name: 'b', image: 'i' },
  ]
  for (const [name, containers, nodeName] of [
    ['one', [two[0]], 'n1'],
    ['two', two, 'n1'],
    ['lost', [two[0]], 'n2'],
    ['new', [two[0]], undefined],
  ] as const) {
    const answer = await client.call('POST', pods, { metadata: { name }, spec: { containers, nodeName } })
    assert.equal(answer.code, 201, answer.text)
  }
})
after(async () => {
  kubelet.closeAllConnections()
  kubelet.close()
  await context[Symbol.asyncDispose]()
})

function commonName(socket: TLSSocket): string | undefined {
  return socket.getPeerCertificate().subject.CN as string | undefined
}

test('logs come from the kubelet, under the API server’s certificate', async () => {
  seen.length = 0
  const answer = await client.call('GET', `${pods}/one/log?follow=true&tailLines=5&timestamps=true&pretty=1`)
  assert.deepEqual([answer.code, answer.text], [200, 'line 1\nline 2\n'])
  assert.deepEqual(seen, [
    { url: '/containerLogs/default/one/a?follow=true&timestamps=true&tailLines=5', user: 'admin' },
  ])
})

test('what a relay refuses', async () => {
  const rows: [string, number, RegExp][] = [
    ['two/log', 400, /^a container name must be specified for pod two, choose one of: \[a b\]$/],
    ['one/log?container=x', 400, /^container x is not valid for pod one$/],
    ['new/log', 400, /^pod new does not have a host assigned$/],
    ['lost/log', 503, /^node n2 has told no InternalIP and kubelet port yet$/],
    ['none/log', 404, /^pods "none" not found$/],
    ['one/log?previous=true', 400, /^no previous container$/],
    ['one/exec?command=ls', 400, /^Upgrade request required$/],
  ]
  for (const [path, code, message] of rows) {
    const answer = await client.call('GET', `${pods}/${path}`)
    assert.equal(answer.code, code, answer.text)
    assert.match(answer.body.message, message)
  }
})

test('exec over WebSocket is handed to the kubelet byte for byte', async () => {
  seen.length = 0
  const { authority, admin } = context.certificates
  const url = `wss://127.0.0.1:${client.port}${pods}/one/exec?command=sh&command=-c&stdin=true&stdout=true&tty=false`
  const socket = new WebSocket(url, ['v5.channel.k8s.io'], { ca: authority.cert, key: admin.key, cert: admin.cert })
  const echoed = new Promise<Buffer>((resolve, reject) => {
    socket.on('message', (data) => resolve(data as Buffer))
    socket.on('error', reject)
  })
  await new Promise((resolve) => socket.on('open', resolve))
  assert.equal(socket.protocol, 'v5.channel.k8s.io')
  const bytes = Buffer.from([0, 104, 105, 255, 0])
  socket.send(bytes)
  assert.deepEqual(await echoed, Buffer.concat([Buffer.from([1]), bytes]))
  assert.deepEqual(seen, [{ url: '/exec/default/one/a?input=1&output=1&command=sh&command=-c', user: 'admin' }])
  const closed = new Promise((resolve) => socket.on('close', resolve))
  kubelet.closeAllConnections()
  socket.terminate()
  await closed
})

test('a kubelet that is gone is told with its address', async () => {
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: 1 } },
  }
  await client.call('POST', '/api/v1/nodes', { metadata: { name: 'n3' }, status })
  await client.call('POST', pods, {
    metadata: { name: 'gone' },
    spec: { containers: [{ name: 'a', image: 'i' }], nodeName: 'n3' },
  })
  const answer = await client.call('GET', `${pods}/gone/log`)
  assert.equal(answer.code, 503)
  assert.match(answer.body.message, /^cannot reach the kubelet at 127.0.0.1:1: .*ECONNREFUSED/)
})
