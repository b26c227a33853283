import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressFromBytes } from '../addr/index.ts'
import { Channel } from './channel.ts'
import { connectionOf, decodeFlows, encodeFlows, type Flow, findFlow, keyOf, keyOfConnection } from './flow.ts'
import { decodeMessage, encodeMessage, type Message } from './message.ts'

const port = fc.integer({ min: 0, max: 0xffff })
const flow = fc.constantFrom(4, 16).chain((size): fc.Arbitrary<Flow> => {
  const address = fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => addressFromBytes(bytes))
  const fields = {
    ...{ protocol: fc.constantFrom(6, 17), client: address, address, endpoint: address },
    ...{ clientPort: port, port, endpointPort: port, sourcePort: port },
    timeoutSeconds: fc.integer({ min: 0, max: 0xffff_ffff }),
  }
  return fc.record(fields, { noNullPrototype: true })
})

test('flows and messages are read as they were written; other bytes are no message and no exception', () => {
  fc.assert(
    fc.property(fc.array(flow, { maxLength: 20 }), (flows) => {
      assert.deepEqual(decodeFlows(encodeFlows(flows)), flows)
      const addresses = flows.map(({ address }) => address)
      const messages: Message[] = [
        { kind: 'flows', flows },
        { kind: 'gone', flows },
        { kind: 'follow', addresses },
        ...addresses.map((address): Message => ({ kind: 'end', address })),
      ]
      for (const message of messages) assert.deepEqual(decodeMessage(encodeMessage(message)), message)
    }),
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeMessage(Buffer.from(bytes))))
})

test('a flow is the conntrack entry that it was, and what another node cannot carry on is none', () => {
  fc.assert(
    fc.property(flow, (one) => {
      const entry = { ...connectionOf(one), mark: 0, status: 0x6 }
      assert.deepEqual(findFlow({ ...entry, tcpState: 'ESTABLISHED' }), one)
      assert.equal(keyOfConnection(entry), keyOf(one))
      assert.equal(findFlow({ ...entry, status: 0, tcpState: 'SYN_SENT' }), undefined, 'nobody answered yet')
      const masqueraded = { ...entry.reply, destination: one.client }
      const isSame = one.client === one.address
      assert.equal(findFlow({ ...entry, reply: masqueraded }) === undefined, !isSame, 'the endpoint answers to a node')
      if (one.protocol === 6) assert.equal(findFlow({ ...entry, tcpState: 'TIME_WAIT' }), undefined)
    }),
  )
})

/** Two ends of one connection, and what lies between them: `pass` sees each chunk from the client. */
async function between(keys: readonly [string, string], pass: (chunk: Buffer) => Buffer = (chunk) => chunk) {
  const told: Message[] = []
  const ends: string[] = []
  const events = (side: string) => ({
    onMessage: (message: Message) => void told.push(message),
    onClose: (why: string) => void ends.push(`${side}: ${why}`),
  })
  const server = createServer((socket) => void new Channel(socket, 'server', Buffer.from(keys[0]), events('server')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const middle = createServer((from: Socket) => {
    const to = connect((server.address() as AddressInfo).port, '127.0.0.1')
    for (const socket of [from, to]) socket.on('error', () => undefined)
    from.on('data', (chunk) => to.write(pass(chunk)))
    to.on('data', (chunk) => from.write(chunk))
    from.on('close', () => to.destroy())
    to.on('close', () => from.destroy())
  })
  middle.listen(0, '127.0.0.1')
  await once(middle, 'listening')
  const socket = connect((middle.address() as AddressInfo).port, '127.0.0.1')
  const client = new Channel(socket, 'client', Buffer.from(keys[1]), events('client'))
  const close = (): void => {
    client.close('the test ends')
    server.close()
    middle.close()
  }
  return { told, ends, client, close }
}

async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setImmediate(resolve))
}

const words = (count: number): Message[] =>
  Array.from({ length: count }, (): Message => ({ kind: 'follow', addresses: [] }))

test('messages arrive in order whatever their frames are cut into; another key, a changed bit and a frame twice end it', {
  timeout: 20_000,
}, async () => {
  const cases: [string, [string, string], ((chunk: Buffer) => Buffer) | undefined, RegExp | undefined][] = [
    ['whole', ['key', 'key'], undefined, undefined],
    ['another key', ['key', 'other'], undefined, /server: its key is another/],
    ['a changed bit', ['key', 'key'], flip, /server: (its key is another|its frames have no length)/],
    ['a frame twice', ['key', 'key'], twice, /server: (its key is another|its frames have no length)/],
  ]
  for (const [what, keys, pass, end] of cases) {
    const { told, ends, client, close } = await between(keys, pass)
    for (const message of words(3)) client.send(message)
    if (end === undefined) await until(() => told.length === 3)
    else {
      await until(() => ends.some((one) => one.startsWith('server')))
      assert.match(ends.find((one) => one.startsWith('server')) ?? '', end, what)
    }
    close()
  }
})

/** The first chunk is the greeting: what comes behind it is signed. */
function flip(chunk: Buffer): Buffer {
  if (chunk.length <= 21) return chunk
  const changed = Buffer.from(chunk)
  const last = changed.length - 1
  changed[last] = (changed[last] ?? 0) ^ 1
  return changed
}

function twice(chunk: Buffer): Buffer {
  return chunk.length <= 21 ? chunk : Buffer.concat([chunk, chunk])
}
