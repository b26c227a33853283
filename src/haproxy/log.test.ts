import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logFormat, parseLog } from './index.ts'

const told = [
  ['client', '%ci'],
  ['sni', '%[var(sess.sni),url_enc]', '%'],
  ['path', '%HPO', '#'],
  ['host|id', '%hr', '#'],
] as const

test('a line of the log is read back, whatever clients wrote into it', () => {
  assert.deepEqual(logFormat(told), ['log-format', '%ci %[var(sess.sni),url_enc] %HPO %hr'])
  assert.deepEqual(parseLog('10.0.0.1 a%20b /x#22y#23 {a b#7Cc|d}', told), {
    client: '10.0.0.1',
    sni: 'a b',
    path: '/x"y#',
    host: 'a b|c',
    id: 'd',
  })
  assert.deepEqual(parseLog('10.0.0.1 - /%2F#C3#A9 {|}', told), {
    client: '10.0.0.1',
    sni: '',
    path: '/%2Fé',
    host: '',
    id: '',
  })
  assert.equal(parseLog('10.0.0.1 - /', told), undefined)
  assert.equal(parseLog('', told), undefined)
})
