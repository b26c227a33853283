// npm run bench -- NAME… [--part PART]… [--json]
import { existsSync, readdirSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import type { Row } from './row.ts'

const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts' && file !== 'row.ts')
  .map((file) => file.slice(0, -3))
const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, part: { type: 'string', multiple: true, default: [] } },
  allowPositionals: true,
})

const unknown = positionals.filter((name) => !existsSync(`${import.meta.dirname}/${name}.ts`) || !known.includes(name))
if (unknown.length > 0) {
  console.error(`no bench is called ${unknown.join(', ')}; there are: ${known.join(', ')}`)
  process.exit(64)
}
console.error(
  `${cpus().length} × ${cpus()[0]?.model ?? 'cpu'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
)
for (const name of positionals.length > 0 ? positionals : known) {
  const { bench } = (await import(`./${name}.ts`)) as {
    bench: (parts: readonly string[]) => AsyncIterable<Row> | Promise<Row[]>
  }
  const rows = bench(values.part)
  for await (const row of rows instanceof Promise ? await rows : rows) print(row)
}
// Sockets of a finished bench must not keep the process.
process.exit(0)

function print(row: Row): void {
  if (values.json) {
    console.log(JSON.stringify(row))
    return
  }
  const digits = Math.abs(row.value) >= 100 ? 0 : Math.abs(row.value) >= 1 ? 2 : 4
  const peer =
    row.peer === undefined ? '' : `  ${row.ratio === undefined ? '' : `${row.ratio.toPrecision(3)} × `}${row.peer}`
  console.log(
    `${row.bench.padEnd(12)} ${row.metric.padEnd(52)} ${row.value.toFixed(digits).padStart(10)} ${row.unit.padEnd(8)}${peer}`,
  )
}
