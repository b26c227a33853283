/** A small list-and-watch server for this folder's tests: one kind, real paging, history, 410, and faults on demand. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { keyOf } from '../cluster/index.ts'
import type { ConfigMap, KubeObject } from '../objects/index.ts'

export const configMaps = { group: '', version: 'v1', plural: 'configmaps', namespaced: true, kind: 'ConfigMap' }

interface Entry {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
}

export async function startWatchServer() {
  const objects = new Map<string, ConfigMap>()
  const history: Entry[] = []
  const watches = new Map<ServerResponse, number>()
  const requests: string[] = []
  let version = 10
  let uid = 0
  let oldest = 0
  let intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
  let mute = false

  const send = (response: ServerResponse, type: string, object: unknown) =>
    mute || response.write(`${JSON.stringify({ type, object })}\n`)
  const record = (type: Entry['type'], object: ConfigMap) => {
    history.push({ version, type, object })
    for (const response of watches.keys()) send(response, type, object)
  }
  const answer = (response: ServerResponse, code: number, body: unknown) => {
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const status = (code: number, reason: string, message: string) => ({ kind: 'Status', code, reason, message })

  const list = (query: URLSearchParams, response: ServerResponse) => {
    const all = [...objects.values()]
    const start = Number(query.get('continue') ?? 0)
    const end = start + Number(query.get('limit') ?? all.length)
    const more = end < all.length ? { continue: String(end) } : {}
    answer(response, 200, {
      kind: 'ConfigMapList',
      metadata: { resourceVersion: String(version), ...more },
      items: all.slice(start, end).map(({ kind: _, apiVersion: __, ...item }) => item),
    })
  }
  const watch = (query: URLSearchParams, response: ServerResponse) => {
    const from = Number(query.get('resourceVersion'))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    if (from < oldest) {
      send(response, 'ERROR', status(410, 'Expired', `too old resource version: ${from} (${oldest})`))
      response.end()
      return
    }
    for (const entry of history) if (entry.version > from) send(response, entry.type, entry.object)
    watches.set(response, from)
    response.on('close', () => watches.delete(response))
  }
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (intercept?.(request, response)) return
    const { searchParams } = new URL(request.url ?? '', 'http://server')
    if (searchParams.get('watch') === 'true') watch(searchParams, response)
    else list(searchParams, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    objects,
    watchCount: () => watches.size,
    /** Creates or changes. */
    put(name: string, data: Record<string, string>) {
      version++
      const old = objects.get(`default/${name}`)
      const object: ConfigMap = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name,
          namespace: 'default',
          uid: old?.metadata.uid ?? `u${++uid}`,
          resourceVersion: String(version),
          managedFields: [{ manager: 'test' }],
        },
        data,
      }
      objects.set(keyOf(object), object)
      record(old ? 'MODIFIED' : 'ADDED', object)
    },
    remove(name: string) {
      version++
      const old = objects.get(`default/${name}`)!
      objects.delete(`default/${name}`)
      record('DELETED', { ...old, metadata: { ...old.metadata, resourceVersion: String(version) } })
    },
    bookmark() {
      for (const response of watches.keys())
        send(response, 'BOOKMARK', { kind: 'ConfigMap', metadata: { resourceVersion: String(version) } })
    },
    /** Breaks every connection. */
    cut: () => server.closeAllConnections(),
    /** Forgets the history: watches from before answer 410. */
    compact() {
      oldest = version
      history.length = 0
    },
    intercept(handler: typeof intercept) {
      intercept = handler
    },
    setMute(value: boolean) {
      mute = value
    },
    close() {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
