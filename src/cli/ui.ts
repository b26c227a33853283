import { exit, print, say } from './output.ts'
import type { ClusterOptions } from './read-cluster.ts'
import { onSignal } from './roles.ts'

interface UiOptions extends ClusterOptions {
  readonly filename: readonly string[]
  readonly listen: string
}

/** `plumb ui`: prints the URL of the page and serves it until ended; exit status 3 when there is nothing to show. */
export async function runUi(options: UiOptions): Promise<void> {
  const listen = parseListen(options.listen)
  if (listen === undefined) {
    say(`plumb ui: --listen "${options.listen}" is not ADDRESS:PORT, as 127.0.0.1:0 or [::1]:8080`)
    process.exitCode = exit.usage
    return
  }
  const { openUiSource } = await import('./ui-source.ts')
  const opened = await openUiSource(options)
  if (opened === undefined) return
  const { serveUi } = await import('../ui/index.ts')
  const ui = await serveUi(opened.source, listen)
  if (!/^(127\.|::1$|localhost$)/.test(listen.host))
    say('plumb ui: whoever can see packets to this address can read along: it is HTTP without TLS')
  for (const says of opened.source.blind) say(`plumb ui: ${says}`)
  print(ui.url)
  onSignal(async () => {
    await ui.close()
    opened.close()
  })
}

function parseListen(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, bare, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? bare
  const port = Number(digits)
  return host === undefined || port > 65535 ? undefined : { host, port }
}
