// What this machine's kernel may lack, in virtual machines with kernels of Debian: the fast path by flowtables, and SCTP sockets.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { findKernel } from '../vm/kernel.ts'
import { runInMachine, whyNoMachine } from '../vm/machine.ts'

const files = readdirSync(join(import.meta.dirname, '../vm')).filter((name) => name.endsWith('.vm.ts'))

for (const series of ['6.1', '6.12'] as const) {
  for (const file of files) {
    test(`${file} on Linux ${series}`, { timeout: 1_800_000 }, async (t) => {
      const why = whyNoMachine()
      const kernel = why ?? findKernel(series)
      if (typeof kernel === 'string') {
        t.skip(kernel)
        return
      }
      const began = performance.now()
      const { code, output, kernelLog } = await runInMachine(kernel, [
        '--test',
        '--test-timeout=300000',
        `test/vm/${file}`,
      ])
      t.diagnostic(`${kernel.release}, ${Math.round((performance.now() - began) / 1000)} s\n${output}`)
      assert.equal(code, 0, `${output}\n${kernelLog.slice(-4000)}`)
    })
  }
}
