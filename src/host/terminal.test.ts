import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { openTerminal } from './terminal.ts'

/** A program in a terminal of its own, its output so far, and its exit code. */
function start(script: string) {
  const terminal = openTerminal('/dev/ptmx')
  const { programFd: fd } = terminal
  let text = ''
  terminal.output.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const ended = new Promise<void>((resolve) => terminal.output.once('close', resolve))
  const child = spawn('setsid', ['--ctty', '--wait', 'sh', '-c', script], { stdio: [fd, fd, fd] })
  terminal.releaseProgram()
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const said = async (pattern: RegExp) => {
    while (!pattern.test(text)) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return { terminal, exit, ended, said, text: () => text }
}

test('a program has a terminal: it reads what is typed, knows its size and is told of changes', async () => {
  const script = 'trap "stty size" WINCH; tty; stty size; while ! read -r line; do :; done; echo "got $line"; exit 4'
  const { terminal, exit, ended, said, text } = start(`stty -echo; ${script}`)
  terminal.resize(100, 30)
  await said(/\d+ \d+\r\n/)
  terminal.resize(123, 45)
  await said(/45 123\r\n/)
  terminal.input.write('hello\n')
  assert.equal(await exit, 4)
  await ended
  assert.match(text(), /^\/dev\/pts\/\d+\r\n/)
  assert.match(text(), /got hello\r\n$/)
})

test('interrupt comes from the keyboard, and closing hangs up', async () => {
  const first = start('trap "echo caught; exit 5" INT; echo up; while :; do sleep 0.05; done')
  await first.said(/up/)
  first.terminal.input.write('\x03')
  assert.equal(await first.exit, 5)
  const second = start('trap "exit 6" HUP; echo up; while :; do sleep 0.05; done')
  await second.said(/up/)
  second.terminal.close()
  assert.equal(await second.exit, 6)
})

test('input that nobody reads waits and holds nobody up', async () => {
  const { terminal, exit, ended, said, text } = start('stty raw -echo; echo up; sleep 0.3; head -c 20000 | wc -c')
  await said(/up/)
  terminal.input.write(Buffer.alloc(20_000, 'x'))
  assert.equal(await exit, 0)
  await ended
  assert.match(text(), /20000/)
})
