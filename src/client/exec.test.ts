import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import { ApiError, connect } from './index.ts'

const command = { namespace: 'shop', pod: 'web', container: 'main', command: ['cat', 'a b'] }

/** An API server that knows exec alone. */
async function serve(answer: (socket: WebSocket, url: string) => void, refuse?: object) {
  const server = createServer()
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v4.channel.k8s.io' })
  server.on('upgrade', (request, socket, head) => {
    if (refuse !== undefined) {
      const body = JSON.stringify(refuse)
      socket.end(
        `HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
    } else sockets.handleUpgrade(request, socket, head, (opened) => answer(opened, request.url ?? ''))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = connect({ server: `http://127.0.0.1:${port}`, userAgent: 'test' })
  const close = (): void => {
    client.close()
    server.closeAllConnections()
    server.close()
  }
  return { client, close }
}

const frame = (channel: number, text: string | Buffer) => Buffer.concat([Buffer.of(channel), Buffer.from(text)])

test('what is written arrives, and lines come back whole however they are cut', async () => {
  let asked = ''
  const { client, close } = await serve((socket, url) => {
    asked = url
    socket.on('message', (message: Buffer) => {
      const text = message.subarray(1)
      // In the middle of a character.
      const half = Math.floor(text.length / 2)
      socket.send(frame(1, text.subarray(0, half)))
      socket.send(frame(1, text.subarray(half)))
      socket.send(frame(2, 'words\n'))
      socket.send(frame(3, JSON.stringify({ status: 'Failure', message: 'command terminated with exit code 3' })))
      socket.close()
    })
  })
  const running = await client.exec(command)
  const lines: string[] = []
  running.onLine((line) => lines.push(line))
  running.write('ä€ä\nsecond\n')
  assert.equal(await running.ended, 'words')
  assert.deepEqual(lines, ['ä€ä', 'second'])
  assert.match(
    asked,
    /^\/api\/v1\/namespaces\/shop\/pods\/web\/exec\?container=main&stdin=true&stdout=true&stderr=true&command=cat&command=a%20b$/,
  )
  close()
})

test('a refusal is the API server’s own word, and a connection that breaks is told', async () => {
  const status = { kind: 'Status', code: 403, reason: 'Forbidden', message: 'no exec for you' }
  const refusing = await serve(() => undefined, status)
  await assert.rejects(refusing.client.exec(command), (error) => error instanceof ApiError && error.code === 403)
  refusing.close()
  const broken = await serve((socket) => socket.terminate())
  const running = await broken.client.exec(command)
  assert.match(await running.ended, /the connection broke/)
  broken.close()
})
