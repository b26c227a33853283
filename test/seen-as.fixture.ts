import assert from 'node:assert/strict'
import type { TestLab } from './lab.fixture.ts'
import { until } from './web-lab.fixture.ts'

/** Lines `POD CLIENT`: which pods answered, and whom each of them saw. */
export type Seen = ReadonlySet<string>

export const podsOf = (seen: Seen): string[] => [...seen].map((line) => line.split(' ')[0] ?? '').sort()
export const clientsOf = (seen: Seen): string[] =>
  [...new Set([...seen].map((line) => line.split(' ')[1] ?? ''))].sort()

/** What pods say of who asked them, once that is what the explanation promises. */
export async function agreed(lab: TestLab, what: string, at: string): Promise<Seen> {
  let met: Seen = new Set()
  let meant: Seen = new Set()
  const same = async (): Promise<boolean> => {
    ;[met, meant] = [await asked(lab, at), await promised(lab, at)]
    return [...met].sort().join() === [...meant].sort().join()
  }
  await until('', same, 60_000).catch(() => assert.deepEqual([...met].sort(), [...meant].sort(), what))
  return met
}

/** In some 60 requests from outside. */
async function asked(lab: TestLab, at: string): Promise<Seen> {
  const one = `curl -sm 2 http://${at}/ | sed -n 's/^pod: //p; s/^client: //p' | paste -sd' '`
  const script = `seq 60 | xargs -P 30 -I{} sh -c "${one}"`
  const { stdout } = await lab.cli('exec', '--outside', '--', 'sh', '-c', script)
  return new Set(stdout.split('\n').filter((line) => line !== ''))
}

async function promised(lab: TestLab, at: string): Promise<Seen> {
  const { stdout } = await lab.cli('why', '203.0.113.10', at, '-o', 'json')
  const { branches, steps } = JSON.parse(stdout) as {
    steps: { node: string }[]
    branches: { endpoint: { pod: string }; seenAs: string; verdict: { kind: string } }[]
  }
  assert.ok(steps.length > 0)
  return new Set(
    branches
      .filter(({ verdict }) => verdict.kind === 'allow')
      .map(({ endpoint, seenAs }) => `${endpoint.pod.split('/').at(-1)} ${seenAs}`),
  )
}
