import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Speech, sniff } from './sniff.ts'

const cases: readonly (readonly [string, Speech])[] = [
  ['', 'undecided'],
  ['GET / HTTP/1.1\r\n', 'http1'],
  ['OPTIONS * HTTP/1.1\r\n', 'http1'],
  ['GE', 'undecided'],
  ['GETX', 'other'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0', 'http2'],
  ['PRI * HTTP/2.0\r\n', 'undecided'],
  ['PRI', 'undecided'],
  ['PRIx', 'other'],
  ['P', 'undecided'],
  ['POST /a', 'http1'],
  ['PUT /a', 'http1'],
  ['PING\r\n', 'redis'],
  ['ping\n', 'redis'],
  ['PIN', 'undecided'],
  ['*1\r\n$4\r\nPING\r\n', 'redis'],
  ['*', 'undecided'],
  ['*x', 'other'],
  ['\x16\x03\x01\x02', 'tls'],
  ['\x16', 'undecided'],
  ['\x16\x05', 'other'],
  ['\0\0\0\x08\x04\xd2\x16\x2f', 'other'],
  ['hello\n', 'other'],
]

for (const [start, speech] of cases) {
  test(`${JSON.stringify(start)} is ${speech}`, () => {
    assert.equal(sniff(Buffer.from(start, 'latin1')), speech)
  })
}
