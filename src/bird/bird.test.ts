import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import { type BirdConfig, type BirdPeer, parseReply, parseSessions, renderBird } from './index.ts'

const peer: BirdPeer = {
  name: 'tor-a.rack',
  localAsn: 64512,
  neighbor: { address: parseAddress('172.30.0.1'), port: 179 },
  remoteAsn: 64513,
  multihop: false,
  holdSeconds: 90,
  keepaliveSeconds: 30,
  connectRetrySeconds: 10,
  gracefulRestart: false,
  families: [4],
  exports: [],
}
const config: BirdConfig = {
  routerId: '172.30.0.11',
  prefixes: ['192.0.2.1/32', '192.0.2.16/28', '2001:db8::1/128'].map(parsePrefix),
  peers: [
    {
      ...peer,
      localAddress: parseAddress('172.30.0.11'),
      password: 'a secret; } of # words',
      bfd: { receiveMs: 300, transmitMs: 100, multiplier: 3, passive: true },
      gracefulRestart: true,
      families: [4, 6],
      exports: [
        {
          prefixes: ['192.0.2.1/32', '2001:db8::1/128'].map(parsePrefix),
          localPreference: 200,
          communities: [
            [64512, 100],
            [65535, 65281],
          ],
        },
        { prefixes: [parsePrefix('192.0.2.16/28')], communities: [[64512, 1, 2]] },
      ],
    },
    {
      ...peer,
      name: 'router',
      neighbor: { address: parseAddress('2001:db8::9'), port: 1179 },
      remoteAsn: 'external',
      multihop: true,
      families: [6],
    },
    { ...peer, name: 'un.numbered-1', neighbor: { link: 'eth0' }, remoteAsn: 'internal', families: [4, 6] },
  ],
}

test('a configuration with everything is the golden one, and BIRD takes it', () => {
  const golden = new URL('testdata/everything.conf', import.meta.url)
  const text = renderBird(config)
  if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(golden, text)
  assert.equal(text, readFileSync(golden, 'utf8'))
  const folder = mkdtempSync(join(tmpdir(), 'plumb-bird-'))
  try {
    for (const [index, each] of [text, renderBird({ ...config, prefixes: [], peers: [] })].entries()) {
      const file = join(folder, `${index}.conf`)
      writeFileSync(file, each)
      const { status, stderr } = spawnSync('bird', ['-p', '-c', file], { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

const told = `0001 BIRD 2.0.12 ready.
2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     18:40:01.123  
1006-
1002-peer-tor-a.rack BGP        ---        up     18:40:02.456  Established   
1006-  BGP state:          Established
     Neighbor address: 172.30.0.1
     Neighbor AS:      64513
   Channel ipv4
     State:          UP
     Routes:         0 imported, 3 exported, 0 preferred
   Channel ipv6
     Routes:         0 imported, 2 exported, 0 preferred
 
1002-peer-far   BGP        ---        start  18:40:02.456  Active        Socket: Connection refused
1006-  BGP state:          Active
     Neighbor address: 2001:db8::9
     Last error:       Socket: Connection refused
0000 
`

test('replies arrive in pieces; sessions are read out of them', () => {
  const greeting = parseReply(told)
  assert.deepEqual(greeting?.reply, { code: 1, lines: [{ code: 1, text: 'BIRD 2.0.12 ready.' }] })
  const answer = greeting!.rest
  for (let end = 0; end < answer.length; end += 7) assert.equal(parseReply(answer.slice(0, end)), undefined)
  const whole = parseReply(`${answer}0003 Reconfigured\n`)
  assert.equal(whole?.rest, '0003 Reconfigured\n')
  assert.deepEqual(parseSessions(whole!.reply), [
    { name: 'tor-a.rack', state: 'Established', exported: 5, lastError: undefined, neighbor: '172.30.0.1' },
    { name: 'far', state: 'Active', exported: 0, lastError: 'Socket: Connection refused', neighbor: '2001:db8::9' },
  ])
})
