// What pods of faults run, as the command of a container.

export const run = (script: string): string => `[${JSON.stringify(process.execPath)}, "-e", ${JSON.stringify(script)}]`
export const http = (host: string, port = 8080): string =>
  run(`require("http").createServer((q, s) => s.end("ok")).listen(${port}, "${host}")`)
export const answers = (how: string): string => run(`require("http").createServer((q, s) => { ${how} }).listen(8080)`)
export const closes = run('require("net").createServer((s) => s.once("data", () => s.end())).listen(8080)')
export const sleeps = '[sleep, infinity]'

/** Nothing listens for a while: the accept queue of one is filled from within. */
export const neverAccepts = run(
  `require("child_process").spawn(process.execPath, ["-e", "setTimeout(() => { for (let i = 0; i < 8; i++) require('net').connect(8080, '127.0.0.1').on('error', () => {}) }, 800); setInterval(() => {}, 1000)"]);
   require("net").createServer().listen({ port: 8080, host: "::", backlog: 1 }, () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))`,
)

/** HAProxy that answers 200, with a line that binds it; `$D` is a folder with the files, by name. */
export const haproxy = (bind: string, files: Readonly<Record<string, string>> = {}): string => {
  const config = `defaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\nfrontend all\n  ${bind}\n  http-request return status 200\n`
  const written = Object.entries(files).map(([name, text]) => `printf %s '${text}' > $D/${name}.pem`)
  const script = [`D=$(mktemp -d)`, ...written, `cat > $D/cfg <<EOF\n${config}EOF`, 'exec haproxy -db -f $D/cfg']
  return `[sh, -c, ${JSON.stringify(script.join('\n'))}]`
}
