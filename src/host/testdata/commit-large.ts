import { openHost } from '../index.ts'

// Commits more than an unprivileged send buffer holds, then as much again with a last operation that is refused.
const where = { family: 'ip', table: 'large' } as const
const set = { name: 's', key: ['ipv4_addr'] } as const
const comment = 'c'.repeat(120)
const elements = (first: number) =>
  Array.from({ length: 60_000 }, (_, i) => ({ key: `${first}.0.${i >> 8}.${i & 255}`, comment }))
const { network } = openHost().own
await network.commit([
  { kind: 'add-table', ...where },
  { kind: 'add-set', ...where, set },
  { kind: 'add-elements', ...where, set, elements: elements(10) },
])
const count = async () => (await network.elements('ip', 'large', set)).length
const applied = await count()
const refused = await network
  .commit([
    { kind: 'add-elements', ...where, set, elements: elements(11) },
    { kind: 'delete-chain', ...where, chain: 'none' },
  ])
  .then(
    () => 'accepted',
    (error: Error) => error.message,
  )
console.log(JSON.stringify({ applied, refused, left: await count() }))
