import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../addr/index.ts'
import { encodeTransaction, FakeNftables, type Packet, plan, renderTable, type Transaction, trace } from './index.ts'
import { makeState } from './state.ts'
import { type Case, caseOf, hostOf } from './testdata/rulesets.ts'

const denied = process.getuid?.() !== 0 && 'needs root for network namespaces'

/** What the trace says: how often each rule with a counter is passed, by comment. */
function predict(
  fake: FakeNftables,
  { family, source, destination, destinationPort }: Case['packets'][number],
  sourcePort: number,
) {
  const packet: Packet = {
    family,
    protocol: 'udp',
    source: parseAddress(hostOf(family, source)),
    destination: parseAddress(hostOf(family, destination)),
    sourcePort,
    destinationPort,
    conntrack: { state: 'new' },
  }
  const result = trace(fake, packet, { from: 'host', route: () => 'host', addressType: () => 'local' })
  const counts: Record<string, number> = {}
  for (const { rule } of result.steps) {
    const comment = rule.includes('counter') ? /comment "(.*)"$/.exec(rule)?.[1] : undefined
    if (comment !== undefined) counts[comment] = (counts[comment] ?? 0) + 1
  }
  return { counts, result }
}

test('trace and kernel pass the same rules', { skip: denied }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-trace-'))
  try {
    // Source ports are never used twice, so that each packet begins a connection.
    let port = 20000
    const seed = 20241122
    const runs = fc.sample(caseOf, { numRuns: 40, seed }).map((of, i) => {
      const state = makeState([of])
      const transaction: Transaction = plan(new Map(), state)
      const fake = new FakeNftables()
      fake.apply(transaction)
      writeFileSync(join(directory, `${i}.batch`), encodeTransaction(transaction).bytes)
      return { of, fake, packets: of.packets.map((packet) => ({ packet, sourcePort: port++ })) }
    })
    const input = runs.map(({ packets }, i) => ({
      batch: join(directory, `${i}.batch`),
      table: 'fuzz',
      packets: packets.map(({ packet, sourcePort }) => ({
        source: hostOf(packet.family, packet.source),
        sourcePort,
        destination: hostOf(packet.family, packet.destination),
        destinationPort: packet.destinationPort,
      })),
    }))
    writeFileSync(join(directory, 'cases.json'), JSON.stringify(input))
    const script = join(import.meta.dirname, 'testdata/packets.mjs')
    const output = execFileSync('unshare', ['-n', process.execPath, script, join(directory, 'cases.json')], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    })
    let passed = 0
    for (const [i, answers] of (JSON.parse(output) as Record<string, number>[][]).entries()) {
      const { of, fake, packets } = runs[i]!
      for (const [j, kernel] of answers.entries()) {
        const { packet, sourcePort } = packets[j]!
        const { counts, result } = predict(fake, packet, sourcePort)
        const steps = result.steps.map(
          (step) => `${step.hook} ${step.chain}: ${step.rule} [${step.found.join('; ')}] ${step.verdict ?? ''}`,
        )
        const elements = new Map(Object.entries(of.elements))
        const story = [
          `seed ${seed}, ruleset ${i}`,
          JSON.stringify(input[i]?.packets[j]),
          renderTable(of.table, elements),
          ...steps,
        ]
        assert.deepEqual(counts, kernel, story.join('\n'))
        passed += Object.keys(kernel).length
      }
    }
    assert.ok(passed > 100, `packets passed ${passed} rules`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
