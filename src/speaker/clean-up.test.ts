import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import { timingOf } from '../announce/index.ts'
import { makePair } from '../host/testing.ts'
import { StandbyTables } from '../standby/tables.ts'
import { cleanUpSpeaker } from './clean-up.ts'
import { FormerHolders } from './former-holders.ts'

const address = parseAddress('192.0.2.100')

test('a clean-up takes tables, rules and routes away, and leaves those of others', async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { network } = pair.left
  const before = { rules: network.rules(), routes: network.routes() }
  const members = [
    { name: 'left', addresses: [pair.leftAddress[4]] },
    { name: 'right', addresses: [pair.rightAddress[4]] },
  ]
  const former = new FormerHolders(network, 'left')
  former.setMembers(members)
  await former.lead(address, 'right')
  const prefixes = { podPrefixes: [parsePrefix('10.244.0.0/16')], boundPrefixes: [] }
  await new StandbyTables(network).set({ guarded: [address], copied: [], sources: [], ...prefixes })
  await network.commit([{ kind: 'add-table', family: 'ip', table: 'foreign' }])
  assert.equal((await network.tables()).length, 5)
  await cleanUpSpeaker(network)
  assert.deepEqual(await network.tables(), [{ family: 'ip', name: 'foreign' }])
  assert.deepEqual({ rules: network.rules(), routes: network.routes() }, before)
})

test('heartbeats too fast or slower than votes count are refused, with what to give', () => {
  assert.deepEqual(timingOf(50), { intervalMs: 50, retryMs: 12.5, leaseMs: 125 })
  for (const ms of [0, 19, 401, Number.NaN]) assert.throws(() => timingOf(ms), /give 20 to 400 ms/)
})
