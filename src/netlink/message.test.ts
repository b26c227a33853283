import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  AttributeWriter,
  decodeAcknowledgement,
  encodeAcknowledgement,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NLM_F_REQUEST,
  NLMSG_DONE,
  readMessages,
  writeBatchBegin,
  writeBatchEnd,
} from './index.ts'

test('messages written one after another are read one by one', () => {
  const message = fc.record(
    {
      type: fc.nat(0xffff),
      flags: fc.nat(0xffff),
      sequence: fc.nat(0xffffffff),
      body: fc.uint8Array({ maxLength: 40 }),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
      const writer = new AttributeWriter()
      for (const { type, flags, sequence, body } of messages) {
        const start = writer.beginMessage(type, flags, sequence)
        writer.bytes(1, body)
        writer.endMessage(start)
      }
      const read = [...readMessages(writer.result())].map(({ type, flags, sequence, buffer, start }) => {
        const size = buffer.readUInt16LE(start) - 4
        return { type, flags, sequence, body: new Uint8Array(buffer.subarray(start + 4, start + 4 + size)) }
      })
      assert.deepEqual(read, messages)
    }),
  )
})

test('any bytes split into messages that lie within them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const buffer = Buffer.from(noise)
      for (const { start, end } of readMessages(buffer)) assert(start <= end && end <= buffer.length)
    }),
  )
})

test('an acknowledgement keeps errno, text and offset', () => {
  const acknowledgement = fc.record(
    {
      errno: fc.nat(4095),
      requestType: fc.nat(0xffff),
      message: fc.string({ minLength: 1, maxLength: 60 }).filter((text) => !text.includes('\0')),
      offset: fc.nat(0xffff),
    },
    { requiredKeys: ['errno', 'requestType'], noNullPrototype: true },
  )
  fc.assert(
    fc.property(acknowledgement, (expected) => {
      const writer = new AttributeWriter()
      encodeAcknowledgement(writer, 9, expected)
      const [message] = readMessages(writer.result())
      assert.equal(message?.sequence, 9)
      assert.deepEqual(decodeAcknowledgement(message!), expected)
    }),
  )
})

test('the end of a dump may carry an error', () => {
  const writer = new AttributeWriter()
  const start = writer.beginMessage(NLMSG_DONE, 0, 3)
  writer.view.writeInt32LE(-4, writer.reserve(4))
  writer.endMessage(start)
  const [message] = readMessages(writer.result())
  assert.deepEqual(decodeAcknowledgement(message!), { errno: 4, requestType: 0 })
})

test('a batch begins and ends with nfgenmsg naming nf_tables', () => {
  const writer = new AttributeWriter()
  writeBatchBegin(writer, 1)
  writeBatchEnd(writer, 2)
  const messages = [...readMessages(writer.result())]
  assert.deepEqual(
    messages.map(({ type, flags, sequence, buffer, start }) => [type, flags, sequence, buffer.readUInt16BE(start + 2)]),
    [
      [NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, 1, NFNL_SUBSYS_NFTABLES],
      [NFNL_MSG_BATCH_END, NLM_F_REQUEST, 2, NFNL_SUBSYS_NFTABLES],
    ],
  )
})
