import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toDialect } from './dialect.ts'

for (const [written, meant] of [
  ['has(self.a.b)', 'has(self.a.b)'],
  ['has(self.a[0].b)', '[self.a[0]].exists(item__, has(item__.b))'],
  ['!has(f(x).b.c) || has(y.z)', '![f(x)].exists(item__, has(item__.b.c)) || has(y.z)'],
  ["has(self.m['a)'].b)", "[self.m['a)']].exists(item__, has(item__.b))"],
  ["self.x == 'has(a[0].b)'", "self.x == 'has(a[0].b)'"],
  [
    'self.all(i, has(i.l[has(i.k[0].n) ? 1 : 0].v))',
    'self.all(i, [i.l[[i.k[0]].exists(item__, has(item__.n)) ? 1 : 0]].exists(item__, has(item__.v)))',
  ],
  ['hash(a[0].b)', 'hash(a[0].b)'],
  ["self.a.matches('x.matches(y)')", "self.a.matchesRe2('x.matches(y)')"],
  ["matches(self.a, '^v1')", "matchesRe2(self.a, '^v1')"],
  ['self.rematches(a)', 'self.rematches(a)'],
  ['has(', 'has()'],
])
  test(`${written} means ${meant}`, () => assert.equal(toDialect(written as string), meant))
