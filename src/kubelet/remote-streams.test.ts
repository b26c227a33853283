import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findProgram } from './container-command.ts'
import { exitStatus, parseSizes } from './remote-streams.ts'

test('window sizes are read however the stream is cut; anything else is skipped and not kept', () => {
  const sizes = fc.array(fc.record({ columns: fc.nat(9999), rows: fc.nat(9999) }), { maxLength: 6 })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 20 }), (wanted, step) => {
      const text = wanted.map(({ columns, rows }) => `{"Width":${columns},"Height":${rows}}\n`).join('')
      const found: { columns: number; rows: number }[] = []
      let rest = ''
      for (let at = 0; at < text.length; at += step) {
        const parsed = parseSizes(rest + text.slice(at, at + step))
        found.push(...parsed.sizes.map((size) => ({ ...size })))
        rest = parsed.rest
      }
      assert.deepEqual(
        found,
        wanted.map((size) => ({ ...size })),
      )
    }),
  )
  assert.deepEqual(parseSizes('{"Width":1}{}'), { sizes: [], rest: '' })
  assert.ok(parseSizes('x'.repeat(1000)).rest.length <= 100)
})

test('exit codes are told as clients read them', () => {
  assert.equal(exitStatus(0).status, 'Success')
  assert.deepEqual(exitStatus(7).details, { causes: [{ reason: 'ExitCode', message: '7' }] })
  assert.equal(exitStatus(7).reason, 'NonZeroExitCode')
})

test('images that start nothing of their own run what the pod says, others stay stand-ins', () => {
  const path = '/usr/bin:/bin'
  const run = (image: string, more: object) => findProgram({ name: 'c', image, ...more }, {}, path)
  assert.deepEqual(run('busybox:1.36', { args: ['sh', '-c', 'true'] }), ['sh', '-c', 'true'])
  assert.deepEqual(run('registry.k8s.io/busybox@sha256:ab12', { args: ['cat'] }), ['cat'])
  assert.deepEqual(run('alpine', { stdin: true }), ['sh'])
  assert.equal(run('alpine', {}), undefined)
  assert.equal(run('nginx', { args: ['sh'] }), undefined)
  assert.equal(run('example.com/busybox/server', { args: ['sh'] }), undefined)
})
