import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const main = join(import.meta.dirname, 'start.js')
function why(more: readonly string[], env: NodeJS.ProcessEnv) {
  const all = { ...process.env, PLUMB_LAB: undefined, KUBECONFIG: undefined, HOME: '/nonexistent', ...env }
  const { status, stderr } = spawnSync(process.execPath, [main, 'why', ...more, 'pod/a', 'pod/b:80'], {
    env: all,
    encoding: 'utf8',
  })
  return `${status} ${stderr.trim()}`
}

test('a lab whose name is typed goes before KUBECONFIG, and a kubeconfig that is not there is told', () => {
  const gone = { KUBECONFIG: '/nonexistent/former' }
  assert.match(why([], gone), /^3 plumb why: there is no file \/nonexistent\/former; name a lab/)
  assert.match(why(['--name', 'no-such-lab'], gone), /^3 plumb why: no lab no-such-lab is running/)
  const both = why(['--name', 'no-such-lab', '--kubeconfig', '/nonexistent/typed'], gone)
  assert.match(both, /^3 plumb why: there is no file \/nonexistent\/typed/)
})
