import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLogRequest } from '../kubelet/index.ts'
import { LogBuffer } from './log-buffer.ts'

test('lines are whole, whatever the chunks; streams do not mix within a line', () => {
  const log = new LogBuffer()
  log.write('stdout', 'a')
  log.write('stderr', 'x\n')
  log.write('stdout', 'b\nc')
  log.end()
  assert.equal(log.read(), 'x\nab\nc\n')
})

test('tail, since and limit select', () => {
  const log = new LogBuffer()
  for (const text of ['1', '2', '3']) log.line(text)
  assert.equal(log.read({ tailLines: 2 }), '2\n3\n')
  assert.equal(log.read({ tailLines: 0 }), '')
  assert.equal(log.read({ sinceMs: Date.now() + 1000 }), '')
  assert.equal(log.read({ limitBytes: 3 }), '1\n2')
  assert.match(log.read({ tailLines: 1, timestamps: true }), /^\d{4}-\d\d-\d\dT[\d:.]+Z 3\n$/)
})

test('the oldest lines go when the log is full', () => {
  const log = new LogBuffer(10_000)
  for (let i = 0; i < 10_000; i++) log.line(`line ${i}`)
  const text = log.read()
  assert(text.length < 10_000)
  assert(text.endsWith('line 9999\n'))
})

test('followers get what comes and are told the end', () => {
  const log = new LogBuffer()
  const seen: (string | undefined)[] = []
  log.follow({}, (text) => seen.push(text))
  const stop = log.follow({}, () => seen.push('stopped'))
  stop()
  log.line('a')
  log.end()
  log.follow({}, (text) => seen.push(text))
  assert.deepEqual(seen, ['a\n', undefined, undefined])
})

test('log options are read from a query; nonsense counts as not given', () => {
  const request = parseLogRequest(new URLSearchParams('follow=true&tailLines=5&sinceSeconds=2&limitBytes=x'), 10_000)
  assert.deepEqual(request, { follow: true, previous: false, timestamps: false, sinceMs: 8000, tailLines: 5 })
})
