import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { constants, createDeflate, inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { headerDictionary } from './dictionary.ts'
import { encodeFrame, type Frame, FrameDecoder, maximumFrame, SpdyError } from './frame.ts'
import { decodeFields, encodeFields, HeaderDeflater, HeaderInflater } from './header-block.ts'
import { SpdyConnection, type SpdyStream } from './index.ts'

const plain = { noNullPrototype: true } as const
const id = fc.integer({ min: 0, max: 0x7fffffff })
const word = fc.integer({ min: 0, max: 0xffffffff })
const bytes = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data))
const fields = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z-]{1,12}$/), fc.string()), { selector: ([name]) => name })
  .map((pairs) => new Map(pairs))
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant('data' as const), stream: id, fin: fc.boolean(), data: bytes }, plain),
  fc.record(
    {
      kind: fc.constantFrom('synStream' as const, 'synReply' as const, 'headers' as const),
      stream: id,
      fin: fc.boolean(),
      block: bytes,
    },
    plain,
  ),
  fc.record({ kind: fc.constant('rstStream' as const), stream: id, status: word }, plain),
  fc.record({ kind: fc.constant('ping' as const), id: word }, plain),
  fc.record({ kind: fc.constant('goAway' as const), lastStream: id, status: word }, plain),
  fc.record(
    {
      kind: fc.constant('other' as const),
      type: fc.constantFrom(4, 9, 77),
      flags: fc.integer({ min: 0, max: 255 }),
      payload: bytes,
    },
    plain,
  ),
)

/** The client's way to compress header blocks: one zlib stream over the connection, flushed after each. */
class ClientDeflater {
  readonly #deflate = createDeflate({ dictionary: headerDictionary, level: constants.Z_BEST_COMPRESSION })
  async compress(block: Buffer): Promise<Buffer> {
    await new Promise<void>((resolve) => {
      this.#deflate.write(block)
      this.#deflate.flush(constants.Z_SYNC_FLUSH, () => resolve())
    })
    return this.#deflate.read() as Buffer
  }
}

test('the dictionary is the one that the protocol names by its checksum', () => {
  let a = 1
  let b = 0
  for (const byte of headerDictionary) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  assert.equal((((b << 16) | a) >>> 0).toString(16), 'e3c6a7c2')
})

test('decode ∘ encode = identity for frames, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40 })), (frames, cuts) => {
      const all = Buffer.concat(frames.map(encodeFrame))
      const decoder = new FrameDecoder()
      const decoded: Frame[] = []
      let at = 0
      for (const cut of cuts) {
        decoded.push(...decoder.push(all.subarray(at, at + cut)))
        at += cut
      }
      decoded.push(...decoder.push(all.subarray(at)))
      assert.deepEqual(decoded, frames)
    }),
  )
})

test('decode ∘ encode = identity for header fields, and any other bytes are refused as such', () => {
  fc.assert(fc.property(fields, (map) => assert.deepEqual(decodeFields(encodeFields(map)), map)))
  fc.assert(
    fc.property(bytes, (block) => {
      try {
        decodeFields(block)
      } catch (error) {
        assert.ok(error instanceof SpdyError)
      }
    }),
  )
})

test('header blocks pass the compression of both ends, in their order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fields, { maxLength: 6 }), async (maps) => {
      const client = new ClientDeflater()
      const inflater = new HeaderInflater()
      const deflater = new HeaderDeflater()
      const answers: Buffer[] = []
      for (const map of maps) {
        const block = await inflater.decompress(await client.compress(encodeFields(map)))
        assert.deepEqual(decodeFields(block), map)
        answers.push(deflater.compress(encodeFields(map)))
      }
      inflater.close()
      const blocks = maps.length === 0 ? Buffer.alloc(0) : inflate(Buffer.concat(answers))
      assert.deepEqual(blocks, Buffer.concat(maps.map(encodeFields)))
    }),
    { numRuns: 30 },
  )
})

function inflate(data: Buffer): Buffer {
  return inflateSync(data, { finishFlush: constants.Z_SYNC_FLUSH })
}

test('what is too large or broken is refused', async () => {
  const head = encodeFrame({ kind: 'data', stream: 1, fin: false, data: new Uint8Array() })
  head.writeUIntBE(maximumFrame + 1, 5, 3)
  assert.throws(() => new FrameDecoder().push(head), /a frame of 4194305 bytes is larger than 4194304/)
  assert.throws(() => new FrameDecoder().push(Buffer.from('8002000100000000', 'hex')), /not of SPDY version 3/)
  assert.throws(() => new FrameDecoder().push(Buffer.from('8003000100000000', 'hex')), /too short/)
  const inflater = new HeaderInflater()
  const bomb = await new ClientDeflater().compress(Buffer.alloc(1 << 20))
  assert.ok(bomb.length < 5000)
  await assert.rejects(inflater.decompress(bomb), /a header block is larger than 65536/)
  await assert.rejects(inflater.decompress(bomb), SpdyError)
  await assert.rejects(new HeaderInflater().decompress(Buffer.from('no zlib at all')), SpdyError)
})

/** Two ends of a stream of bytes. */
function pipe(): [Duplex, Duplex] {
  const ends: Duplex[] = []
  const make = (other: 0 | 1) =>
    new Duplex({
      read: () => undefined,
      write: (chunk, _encoding, callback) => {
        ends[other]!.push(chunk)
        callback()
      },
      final: (callback) => {
        ends[other]!.push(null)
        callback()
      },
    })
  ends.push(make(1), make(0))
  return [ends[0]!, ends[1]!]
}

test('a connection opens streams, carries both directions, half-closes, resets and answers pings', async () => {
  const [client, server] = pipe()
  const streams: SpdyStream[] = []
  new SpdyConnection(server, (stream) => {
    streams.push(stream)
    if (stream.headers.get('streamtype') === 'echo') stream.pipe(stream)
  })
  const received: Frame[] = []
  const decoder = new FrameDecoder()
  client.on('data', (chunk) => received.push(...decoder.push(chunk)))
  const deflater = new ClientDeflater()
  const open = async (stream: number, type: string) => {
    const block = await deflater.compress(encodeFields(new Map([['streamType', type]])))
    client.write(encodeFrame({ kind: 'synStream', stream, fin: false, block }))
  }
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve))
  }
  await open(1, 'echo')
  await open(3, 'quiet')
  client.write(encodeFrame({ kind: 'ping', id: 7 }))
  client.write(encodeFrame({ kind: 'data', stream: 1, fin: false, data: Buffer.from('hello') }))
  client.write(encodeFrame({ kind: 'data', stream: 1, fin: true, data: Buffer.from(' there') }))
  await until(() => received.some((one) => one.kind === 'data' && one.fin))
  const echoed = received.filter((one) => one.kind === 'data').map(({ data }) => Buffer.from(data).toString())
  assert.equal(echoed.join(''), 'hello there')
  assert.ok(received.some((one) => one.kind === 'ping' && one.id === 7))
  assert.deepEqual(
    received.filter(({ kind }) => kind === 'synReply').map((one) => (one as { stream: number }).stream),
    [1, 3],
  )
  client.write(encodeFrame({ kind: 'rstStream', stream: 3, status: 5 }))
  await until(() => streams[1]!.destroyed)
  await open(5, 'quiet')
  await until(() => streams.length === 3)
  client.write(encodeFrame({ kind: 'data', stream: 5, fin: true, data: Buffer.from('last words') }))
  assert.equal((await buffer(streams[2]!)).toString(), 'last words')
  // A number that was used is no new stream: the connection ends with GOAWAY.
  await open(1, 'again')
  await until(() => received.some(({ kind }) => kind === 'goAway'))
  await until(() => server.destroyed)
})

test('a stream that nobody reads stops the connection, and reading it lets it go on', async () => {
  const [client, server] = pipe()
  const streams: SpdyStream[] = []
  new SpdyConnection(server, (stream) => streams.push(stream))
  const deflater = new ClientDeflater()
  const block = await deflater.compress(encodeFields(new Map()))
  client.write(encodeFrame({ kind: 'synStream', stream: 1, fin: false, block }))
  const piece = Buffer.alloc(32 * 1024, 1)
  for (let i = 0; i < 64; i++) client.write(encodeFrame({ kind: 'data', stream: 1, fin: i === 63, data: piece }))
  while (streams.length === 0 || streams[0]!.readableLength === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(streams[0]!.readableLength < 8 * piece.length, `${streams[0]!.readableLength} bytes are held`)
  assert.equal((await buffer(streams[0]!)).length, 64 * piece.length)
})
