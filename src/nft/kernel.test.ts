import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import {
  describeOperation,
  encodeTransaction,
  locateFailure,
  makeState,
  plan,
  renderTable,
  type State,
} from './index.ts'
import { cases } from './testdata/everything.ts'
import { stateOf } from './testdata/states.ts'

const directory = mkdtempSync(join(tmpdir(), 'plumb-nft-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const sender = join(import.meta.dirname, 'testdata/send.mjs')
const denied = process.getuid?.() !== 0 && 'needs root for network namespaces'

interface Answer {
  readonly sequence: number
  readonly errno: number
  readonly offset?: number
}

/** Sends each batch into one new network namespace, then lists, reloads what was listed, and lists again. */
function run(batches: readonly Buffer[]): { answers: Answer[][]; listed: string; relisted: string } {
  const files = batches.map((batch, i) => {
    writeFileSync(join(directory, `${i}.batch`), batch)
    return `${i}.batch`
  })
  const script = [`"${process.execPath}" "${sender}" ${files.join(' ')}`]
  script.push('nft list ruleset > listed', 'nft flush ruleset', 'nft -f listed', 'nft list ruleset > relisted')
  const { stdout, stderr, status } = spawnSync('unshare', ['-n', 'sh', '-ec', script.join('\n')], {
    cwd: directory,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  return {
    answers: stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).answers),
    listed: readFileSync(join(directory, 'listed'), 'utf8'),
    relisted: readFileSync(join(directory, 'relisted'), 'utf8'),
  }
}

function render(state: State): string {
  return [...state.values()]
    .map(({ table, elements }) => renderTable(table, new Map([...elements].map(([set, of]) => [set, of.values()]))))
    .join('')
}

describe('nft prints our bytes as our text', { skip: denied }, () => {
  for (const [name, of] of Object.entries(cases)) {
    test(name, () => {
      const golden = readFileSync(join(import.meta.dirname, `testdata/${name}.nft`), 'utf8')
      const state = makeState([of])
      assert.equal(render(state), golden, 'the golden file')
      const transaction = plan(new Map(), state)
      const { answers, listed, relisted } = run([encodeTransaction(transaction).bytes])
      assert.deepEqual(
        answers[0]?.map(({ errno }) => errno),
        [0],
      )
      assert.equal(listed, golden, 'what nft lists')
      assert.equal(relisted, golden, 'what nft lists of what it listed')
    })
  }
})

test('the kernel says which element it refused', { skip: denied }, () => {
  const key = ['ipv4_addr', 'inet_service'] as const
  const set = { name: 'ports', key, value: ['mark'] } as const
  const where = { family: 'ip', table: 't' } as const
  const elements = Array.from({ length: 5000 }, (_, i) => ({ key: `10.0.${i >> 8}.${i & 255} . 80`, value: '1' }))
  const first = encodeTransaction([
    { kind: 'add-table', ...where },
    { kind: 'add-set', ...where, set },
    { kind: 'add-elements', ...where, set, elements: [{ key: '10.0.15.161 . 80', value: '2' }] },
  ])
  const second = encodeTransaction([{ kind: 'add-elements', ...where, set, elements }], 100)
  const { answers } = run([first.bytes, second.bytes])
  const refused = answers[1]?.find(({ errno }) => errno !== 0)
  assert.ok(refused)
  const source = locateFailure(second, refused.sequence, refused.offset)
  assert.equal(elements[source?.firstElement ?? -1]?.key, '10.0.15.161 . 80')
  assert.equal(source?.elementCount, 1)
})

test('a step from one state to another leaves what the second renders', { skip: denied }, () => {
  const before = cases['services-ip']
  assert.ok(before)
  const { table, elements } = before
  const after = {
    table: {
      ...table,
      sets: table.sets
        .filter(({ name }) => name !== 'addresses')
        .map((set) => (set.name === 'classes' ? { ...set, comment: 'new' } : set)),
      chains: table.chains
        .filter(({ name }) => name !== 'sticky')
        .map((chain) =>
          chain.name === 'nat-prerouting' && chain.hook
            ? { ...chain, hook: { ...chain.hook, priority: -101 }, rules: chain.rules.slice(0, 1) }
            : chain.hook
              ? { ...chain, hook: { ...chain.hook, policy: 'drop' as const } }
              : chain,
        ),
    },
    elements: {
      ...elements,
      'cluster-ips': [{ key: '10.97.0.0/16' }],
      classes: [{ key: 'fe5:2', value: 'goto ep-1' }],
      'service-class': [],
    },
  }
  const [one, two] = [makeState([before]), makeState([after])]
  const steps = [plan(new Map(), one), plan(one, two)]
  const { answers, listed } = run(steps.map((step) => encodeTransaction(step).bytes))
  assert.deepEqual(
    answers.map((list) => list.map(({ errno }) => errno)),
    [[0], [0]],
    steps[1]?.map(describeOperation).join('\n'),
  )
  const lines = (text: string) =>
    text
      .split('\n')
      .map((line) => line.trim())
      .sort()
  assert.deepEqual(lines(listed), lines(render(two)))
})

test('the kernel takes plans between any states', { skip: denied }, () => {
  const states = [...fc.sample(stateOf, { numRuns: 150, seed: 7 }), makeState([])]
  const steps = states.map((state, i) => plan(states[i - 1] ?? new Map(), state))
  const sent = steps.filter((step) => step.length > 0)
  const { answers, listed } = run(sent.map((step) => encodeTransaction(step).bytes))
  assert.equal(answers.length, sent.length)
  for (const [i, list] of answers.entries()) {
    const refused = list.find(({ errno }) => errno !== 0)
    assert.equal(refused, undefined, `${JSON.stringify(refused)}\n${sent[i]?.map(describeOperation).join('\n')}`)
  }
  assert.equal(listed, '', 'the last state is empty')
})
