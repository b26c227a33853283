import assert from 'node:assert/strict'
import { test } from 'node:test'
import { json, pretty, text, wantsPretty } from './answer.ts'

const cases: readonly [url: string, agent: string, wanted: boolean][] = [
  ['/api', 'curl/7.88.1', true],
  ['/api', 'Mozilla/5.0 (X11)', true],
  ['/api', 'kubectl/v1.33.1', false],
  ['/api?pretty=true', 'kubectl/v1.33.1', true],
  ['/api?pretty', 'kubectl/v1.33.1', false],
  ['/api?a=b&pretty=false', 'curl/7.88.1', false],
]
for (const [url, agent, wanted] of cases) {
  test(`JSON for ${agent} at ${url} is ${wanted ? 'indented' : 'compact'}`, () => {
    assert.equal(wantsPretty({ url, headers: { 'user-agent': agent } }), wanted)
  })
}

test('only JSON is indented', () => {
  assert.equal(pretty(json({ a: [1] })).body, '{\n  "a": [\n    1\n  ]\n}\n')
  assert.equal(pretty(text('ok')).body, 'ok')
})
