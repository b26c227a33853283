import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../addr/index.ts'
import { decodeMessage, encodeMessage, type Message } from './index.ts'

const key = Buffer.from('0123456789abcdef0123456789abcdef')
const address = parseAddress('2001:db8::1')
const messages: readonly Message[] = [
  {
    kind: 'heartbeat',
    from: 'a',
    boot: 'x',
    sequence: 7,
    leaseMs: 600,
    members: 3,
    able: true,
    wants: [{ address, held: true }],
  },
  { kind: 'ack', from: 'a', to: 'b', boot: 'x', sequence: 7, refused: [{ address, holder: 'c', remainingMs: 12.5 }] },
  { kind: 'move', phase: 'prepare', from: 'a', to: 'b', address },
]

test('decode is the inverse of encode', () => {
  for (const message of messages) assert.deepEqual(decodeMessage(encodeMessage(message, key), key), message)
})

test('another key, a changed byte, a shorter message: nothing', () => {
  for (const message of messages) {
    const bytes = encodeMessage(message, key)
    assert.equal(decodeMessage(bytes, Buffer.from('another')), undefined)
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(i) ^ 1, i)
      assert.equal(decodeMessage(changed, key), undefined)
      assert.equal(decodeMessage(bytes.subarray(0, i), key), undefined)
    }
  }
})

test('what is signed but has another shape is nothing either', () => {
  const broken: unknown[] = [
    null,
    [],
    'x',
    { kind: 'heartbeat', from: 'a' },
    { ...messages[0], wants: [{ address: '2001:DB8::1', held: true }] },
    { ...messages[0], sequence: -1 },
    { ...messages[0], leaseMs: '600' },
    { ...messages[1], refused: [{}] },
    { ...messages[1], to: 5 },
    { ...messages[2], phase: 'stop' },
    { ...messages[2], kind: 'other' },
  ]
  for (const value of broken) assert.equal(decodeMessage(encodeMessage(value as Message, key), key), undefined)
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.equal(decodeMessage(bytes, key), undefined)))
})
