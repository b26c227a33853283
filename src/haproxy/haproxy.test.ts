import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  fillMap,
  parseProcesses,
  parseSessions,
  parseStat,
  parseTermination,
  quote,
  renderConfig,
  renderMap,
} from './index.ts'

function check(text: string): { status: number | null; stderr: string } {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-haproxy-'))
  try {
    const file = join(directory, 'haproxy.cfg')
    writeFileSync(file, text)
    const { status, stderr } = spawnSync('haproxy', ['-c', '-f', file], { encoding: 'utf8' })
    return { status, stderr }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const printable = fc.string({ unit: fc.constantFrom(...`abc %"'\\$#{}[]()&é;,`), minLength: 0, maxLength: 12 })

test('the real haproxy takes a configuration with any words in it, and what is no configuration it refuses', () => {
  const words = fc.sample(printable, 60).map((word) => word.replaceAll('%', '%%'))
  const text = renderConfig({
    sections: [
      { keyword: 'defaults', lines: ['client', 'server', 'connect'].map((what) => ['timeout', what, '5s']) },
      {
        keyword: 'backend',
        name: 'shop:web:80',
        comment: 'ingress/shop/web\nbackend evil',
        lines: [['mode', 'http'], ...words.map((word) => ['http-request', 'set-header', 'x-word', `a${word}`])],
      },
    ],
  })
  // 2: no error, but nobody listens.
  assert.equal(check(text).status, 2, check(text).stderr)
  assert.equal(check(text.replace('mode http', 'mode https')).status, 1)
})

test('quotes are strong, and a line break is refused', () => {
  assert.equal(quote(`it's`), `'it'\\''s'`)
  assert.equal(quote(''), `''`)
  assert.equal(quote('%[var(txn.a)]'), '%[var(txn.a)]')
  assert.throws(() => quote('a\nb'), /does not fit/)
})

test('maps refuse keys that would read back as others, and are sent in pieces that fit', () => {
  assert.equal(renderMap(new Map([['a.example/', 'shop:web:80']])), 'a.example/ shop:web:80\n')
  assert.throws(() => renderMap(new Map([['a b', 'x']])), /no key/)
  assert.throws(() => renderMap(new Map([['a', 'x\ny z']])), /no value/)
  const entries = new Map(Array.from({ length: 2000 }, (_, at) => [`host-${at}.example/path/`, `ns:service-${at}:80`]))
  const exchanges = fillMap('/m', 3, entries)
  assert.ok(exchanges.every(({ request }) => Buffer.byteLength(request) < 15_000))
  const lines = exchanges.flatMap(({ request }) => request.split('\n').slice(1).filter(Boolean))
  assert.equal(lines.length, 2000)
  assert.equal(exchanges.at(-1)?.request, 'commit map @3 /m')
})

test('answers are read back', () => {
  const rows = parseStat('# pxname,svname,status,\nweb,s1,"UP, 1",\n\n')
  assert.deepEqual(rows, [{ pxname: 'web', svname: 's1', status: 'UP, 1' }])
  const processes = `#<PID>          <type>          <reloads>       <uptime>        <version>
1162            master          5               0d00h02m07s     2.6
# workers
1271            worker          0               0d00h00m00s     2.6
# old workers
1233            worker          3               0d00h00m43s     2.6
# programs
`
  assert.deepEqual(parseProcesses(processes), [
    { pid: 1271, reloads: 0, old: false },
    { pid: 1233, reloads: 3, old: true },
  ])
  const sessions = `0x562331452a70: proto=tcpv4 src=127.0.0.1:39494 fe=ns:gw:80 be=b srv=s ts=00 epoch=0\n0x5: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE>\n`
  assert.deepEqual(parseSessions(sessions), [{ frontend: 'ns:gw:80' }, { frontend: 'GLOBAL' }])
  assert.equal(parseTermination('SC--')?.error, 'connection_refused')
  assert.equal(parseTermination('----')?.by, 'nobody')
  assert.equal(parseTermination('??'), undefined)
})
