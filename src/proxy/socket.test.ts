import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { renderMap } from '../haproxy/index.ts'
import { askHaproxy, runCommands } from './socket.ts'

test('single entries of a map change while HAProxy runs, whatever letters they have', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-socket-'))
  const [map, socket, config] = ['routes.map', 'runtime.sock', 'haproxy.cfg'].map((name) => join(directory, name))
  const odd = ['a/x;y', 'a/x\\y<<', 'a/"q"', "a/'s'", 'a/$v{w}', 'a/%20#?', 'a/é', ',*.b/[z]']
  writeFileSync(map!, renderMap(new Map([...odd, 'kept'].map((key) => [key, '=|one|r']))))
  writeFileSync(
    config!,
    `global\n stats socket ${socket} level admin\ndefaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s
frontend f\n bind abns@${directory}\n use_backend %[path,map_beg(${map})]\n`,
  )
  const child = spawn('haproxy', ['-db', '-f', config!], { stdio: 'ignore' })
  const entries = async (): Promise<string[]> =>
    (await askHaproxy(socket!, `show map ${map}`)).split('\n').map((line) => line.replace(/^0x\w+ /, ''))
  try {
    for (let tries = 0; tries < 200 && !existsSync(socket!); tries++) await pause(20)
    const value = '%a b;c>=|two|r d\\e<<'
    const nothing = { add: new Map(), change: new Map(), remove: [] }
    await runCommands(socket!, [
      { kind: 'edit-map', path: map!, ...nothing, change: new Map(odd.map((key) => [key, value])) },
    ])
    assert.deepEqual((await entries()).sort(), [...odd.map((key) => `${key} ${value}`), 'kept =|one|r'].sort())
    await runCommands(socket!, [{ kind: 'edit-map', path: map!, ...nothing, remove: odd }])
    assert.deepEqual(await entries(), ['kept =|one|r'])
    await runCommands(socket!, [
      { kind: 'edit-map', path: map!, ...nothing, add: new Map(odd.map((key) => [key, value])) },
    ])
    assert.deepEqual((await entries()).sort(), [...odd.map((key) => `${key} ${value}`), 'kept =|one|r'].sort())
    const absent = { kind: 'edit-map', path: map!, ...nothing, remove: ['absent'] } as const
    await assert.rejects(runCommands(socket!, [absent]), /del map/)
  } finally {
    child.kill('SIGTERM')
    rmSync(directory, { recursive: true })
  }
})
