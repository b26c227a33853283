import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ControlPlan, ControlTry } from '../doctor/index.ts'
import { type Namespace, spawnIn } from '../host/index.ts'
import { controlTimeoutsMs, get, pollMs, startMs } from './control-ask.ts'

/** The same experiment with nginx, over HTTP and HTTPS; rejects where it is not installed. */
export async function askNginx(
  plan: ControlPlan,
  namespace: Namespace,
  directory: string,
): Promise<readonly ControlTry[]> {
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, configOf(plan, directory))
  const child = spawnIn(
    namespace,
    'setpriv',
    ['--pdeathsig', 'KILL', 'nginx', '-p', directory, '-c', file, '-e', 'error.log'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: directory,
    },
  )
  const ended = once(child, 'close').catch(() => undefined)
  let complaint = ''
  child.stderr?.on('data', (data: Buffer) => {
    complaint += data.toString()
  })
  const socket = join(directory, 'control.sock')
  try {
    await untilListening(socket, child, () => complaint)
    await Promise.all(Array.from({ length: plan.tries }, () => get(socket, plan)))
    for (const end = Date.now() + startMs; readLines(directory, 'access.log').length < plan.tries && Date.now() < end; )
      await pause(pollMs)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
  const errors = readLines(directory, 'error.log')
  return readLines(directory, 'access.log').map((line) => readTry(JSON.parse(line) as LogLine, errors))
}

function configOf({ backends, speech, tries }: ControlPlan, directory: string): string {
  const servers = backends.map(
    ({ address, port }) => `server ${address.includes(':') ? `[${address}]` : address}:${port} max_fails=0;`,
  )
  const fields = ['status', 'upstream_addr', 'upstream_connect_time', 'upstream_header_time']
  const format = fields.map((one) => `"${one}":"$${one}"`).join(',')
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log error;
events { worker_connections ${64 + 2 * tries}; }
http {
  log_format control escape=json '{${format}}';
  access_log ${directory}/access.log control;
  ${folders.map((one) => `${one}_temp_path ${directory}/${one};`).join('\n  ')}
  upstream same { ${servers.join(' ')} }
  server {
    listen unix:${directory}/control.sock;
    location / {
      proxy_pass ${speech === 'https' ? 'https' : 'http'}://same;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_ssl_verify off;
      proxy_next_upstream off;
      proxy_connect_timeout ${controlTimeoutsMs.connect}ms;
      proxy_read_timeout ${controlTimeoutsMs.answer}ms;
    }
  }
}
`
}

async function untilListening(socket: string, child: ChildProcess, complaint: () => string): Promise<void> {
  for (const end = Date.now() + startMs; Date.now() < end && child.exitCode === null; ) {
    if (existsSync(socket)) return
    await pause(pollMs)
  }
  // setpriv(1) ends with 127 where there is no such program.
  if (child.exitCode === 127) throw new Error('nginx is not installed here')
  throw new Error(complaint().trim().split('\n').at(-1) || 'nginx does not listen')
}

interface LogLine {
  readonly status: string
  readonly upstream_addr: string
  /** Seconds; `-` or nothing for what never came to be. */
  readonly upstream_connect_time: string
  readonly upstream_header_time: string
}

/** nginx tells its own 502 or 504 from the server's by whether headers came (ngx_http_upstream_module). */
function readTry(line: LogLine, errors: readonly string[]): ControlTry {
  const own = toMs(line.upstream_header_time) >= 0
  const error = errors.find((one) => one.includes(`${line.upstream_addr}/`))
  const says = own ? 'the server’s own' : (/: \*\d+ (.+?), client:/.exec(error ?? '')?.[1] ?? 'nginx’s own')
  return {
    status: Number(line.status) || 0,
    server: line.upstream_addr,
    state: own ? '--' : line.status,
    says,
    own,
    connectMs: toMs(line.upstream_connect_time),
    firstByteMs: toMs(line.upstream_header_time),
  }
}

function toMs(seconds: string): number {
  return /^[\d.]+$/.test(seconds) ? Math.round(Number(seconds) * 1000) : -1
}

function readLines(directory: string, file: string): readonly string[] {
  const path = join(directory, file)
  return existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : []
}
