import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ControlPlan, ControlResult, ControlTry } from '../doctor/index.ts'
import { type Line, parseTermination, renderConfig, type Section } from '../haproxy/index.ts'
import { type Namespace, spawnIn } from '../host/index.ts'
import { controlTimeoutsMs, get, knock, pollMs, startMs } from './control-ask.ts'
import { askNginx } from './control-nginx.ts'
import type { OpenPlace } from './run.ts'

const timeouts = {
  connect: `${controlTimeoutsMs.connect}ms`,
  server: `${controlTimeoutsMs.answer}ms`,
  client: '5s',
}

/** Runs a proxy of its own in the place, sends requests through it and reads its log; ends it in any case. Never rejects. */
export async function runControl(plan: ControlPlan, open: OpenPlace): Promise<ControlResult> {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-control-'))
  let namespace: Namespace | undefined
  try {
    namespace = await open(plan.place)
    return { plan, tries: await (plan.by === 'nginx' ? askNginx : askHaproxy)(plan, namespace, directory) }
  } catch (error) {
    return {
      plan,
      tries: [],
      unseen: `the control: ${error instanceof Error ? error.message : String(error)}`,
    }
  } finally {
    namespace?.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function askHaproxy(plan: ControlPlan, namespace: Namespace, directory: string): Promise<readonly ControlTry[]> {
  const socket = join(directory, 'control.sock')
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(file, renderConfig({ sections: sectionsOf(plan, socket) }))
  // It ends with this process, however that ends.
  const child = spawnIn(namespace, 'setpriv', ['--pdeathsig', 'KILL', 'haproxy', '-db', '-f', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
  })
  const log = collect(child)
  try {
    await untilListening(socket, child, log)
    await Promise.all(
      Array.from({ length: plan.tries }, () => (plan.speech === 'connect' ? knock(socket) : get(socket, plan))),
    )
    await log.lines(plan.tries)
  } finally {
    child.kill('SIGKILL')
    await log.ended
  }
  return log.found().map(readTry)
}

function sectionsOf({ backends, speech }: ControlPlan, socket: string): Section[] {
  const mode = speech === 'connect' ? 'tcp' : 'http'
  const words = { connect: [], http: [], https: ['ssl', 'verify', 'none'], h2c: ['proto', 'h2'] }[speech]
  return [
    {
      keyword: 'global',
      lines: [
        ['maxconn', '64'],
        ['log', 'stdout', 'format', 'raw', 'local0'],
      ],
    },
    {
      keyword: 'defaults',
      lines: [
        ['mode', mode],
        ['log', 'global'],
        ['log-format', logFormat(mode)],
        ...Object.entries(timeouts).map(([name, value]): Line => ['timeout', name, value]),
        // Each try meets one server and no other.
        ['retries', '0'],
        ['balance', 'roundrobin'],
      ],
    },
    {
      keyword: 'frontend',
      name: 'control',
      lines: [
        ['bind', socket],
        ['default_backend', 'same'],
      ],
    },
    {
      keyword: 'backend',
      name: 'same',
      lines: backends.map(
        ({ address, port }, at): Line => [
          'server',
          `s${at}`,
          `${address.includes(':') ? `[${address}]` : address}:${port}`,
          ...words,
        ],
      ),
    },
  ]
}

function logFormat(mode: 'tcp' | 'http'): string {
  const status = mode === 'http' ? '"status":%ST,"firstByteMs":%Tr' : '"status":0,"firstByteMs":-1'
  return `{${status},"state":"%ts","server":"%si:%sp","connectMs":%Tc}`
}

interface LogLine {
  readonly status: number
  readonly firstByteMs: number
  readonly state: string
  readonly server: string
  readonly connectMs: number
}

function readTry({ status, firstByteMs, state, server, connectMs }: LogLine): ControlTry {
  const termination = parseTermination(state)
  const own = termination?.by === 'nobody' || (termination?.by === 'client' && connectMs >= 0)
  return { status: Math.max(status, 0), server, state, says: termination?.says ?? state, own, connectMs, firstByteMs }
}

interface Log {
  readonly ended: Promise<void>
  /** Resolves when so many lines are there, or the patience is over. */
  lines(count: number): Promise<void>
  found(): readonly LogLine[]
  /** What it complained of. */
  complaint(): string
}

function collect(child: ChildProcess): Log {
  let out = ''
  let complaint = ''
  child.stdout?.on('data', (data: Buffer) => {
    out += data.toString()
  })
  child.stderr?.on('data', (data: Buffer) => {
    complaint += data.toString()
  })
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  child.once('error', (error: NodeJS.ErrnoException) => {
    complaint += error.code === 'ENOENT' ? 'haproxy is not installed on this machine' : error.message
    resolve()
  })
  child.once('close', () => resolve())
  const found = (): LogLine[] =>
    out.split('\n').flatMap((line) => (line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line) as LogLine] : []))
  return {
    ended,
    found,
    complaint: () => complaint.trim().split('\n').at(-1) ?? '',
    async lines(count) {
      for (const end = Date.now() + 1000; found().length < count && Date.now() < end; ) await pause(pollMs)
    },
  }
}

async function untilListening(socket: string, child: ChildProcess, log: Log): Promise<void> {
  let over = false
  void log.ended.then(() => {
    over = true
  })
  for (const end = Date.now() + startMs; Date.now() < end && !over; ) {
    // A visit would be logged like a try; the file is there a moment before anybody listens.
    if (existsSync(socket)) return
    await pause(pollMs)
  }
  throw new Error(log.complaint() || `haproxy (pid ${child.pid}) does not listen`)
}
