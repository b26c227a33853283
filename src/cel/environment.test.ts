import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileExpression } from './environment.ts'

test('isIP takes addresses as Kubernetes does', () => {
  const isIp = compileExpression('self.all(h, !isIP(h)) ? false : isIP(self[0])')
  for (const text of ['192.0.2.1', '::1', '2001:db8::a', 'FD00::1', '0.0.0.0'])
    assert.equal(isIp({ self: [text] }), true, text)
  for (const text of [
    '192.0.2',
    '192.0.2.256',
    '192.0.02.1',
    'a.example',
    '::ffff:192.0.2.1',
    'fe80::1%eth0',
    '',
    ':::',
  ])
    assert.equal(isIp({ self: [text] }), false, text)
})
