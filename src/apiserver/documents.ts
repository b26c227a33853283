import { createHash } from 'node:crypto'
import { isCustom, withCustomKinds } from '../customresources/index.ts'
import { apiVersionOf, errors, openapi, openapiDocument } from '../objects/index.ts'
import { type Answer, json } from './answer.ts'
import { Lapsing } from './lapsing.ts'
import { Refusal } from './refusal.ts'
import { groupVersions, type Registry, serves } from './registry.ts'

/** The version that clients see: the newest whose kubectl the tests drive. Dispatching kubectls pick their code by its minor. */
export const gitVersion = 'v1.33.0+plumb'

/** The answer to `GET /version`. */
export function version(): Answer {
  return json({
    major: '1',
    minor: '33',
    gitVersion,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node ${process.version}`,
    compiler: 'node',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  })
}

interface Document {
  readonly hash: string
  /** The text lapses: it is large, and asked for once by each client that comes to know the server. */
  readonly body: Lapsing<string>
}

// A change of the custom kinds makes the documents of their groups anew.
const caches = new WeakMap<Registry, { generation: number; documents: Map<string, Document> }>()

/** The index of OpenAPI v3: one document per served group version, each under a hash that changes with its content. */
export function openapiIndex(registry: Registry): Answer {
  const paths = Object.fromEntries(
    groupVersions(registry).map((name) => {
      const path = name.includes('/') ? `apis/${name}` : `api/${name}`
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${documentOf(registry, name).hash}` }]
    }),
  )
  return json({ paths })
}

/** The OpenAPI v3 document of one group version. */
export function openapiOf(registry: Registry, group: string, groupVersion: string): Answer {
  if (!serves(registry, group, groupVersion)) throw new Refusal(errors.noSuchResource())
  const { body, hash } = documentOf(registry, apiVersionOf({ group, version: groupVersion }))
  const headers = { etag: `"${hash}"`, 'cache-control': 'public, immutable', vary: 'Accept' }
  return { code: 200, type: 'application/json', body: body.get(), headers }
}

function documentOf(registry: Registry, name: string): Document {
  let cache = caches.get(registry)
  if (cache?.generation !== registry.generation) {
    cache = { generation: registry.generation, documents: new Map() }
    caches.set(registry, cache)
  }
  let found = cache.documents.get(name)
  if (found === undefined) {
    const [group, groupVersion] = name.includes('/') ? (name.split('/') as [string, string]) : ['', name]
    const body = new Lapsing(() => render(registry, name, group, groupVersion))
    found = { hash: hashOf(registry.stampOf(group) ?? body.get()), body }
    cache.documents.set(name, found)
  }
  return found
}

function render(registry: Registry, name: string, group: string, groupVersion: string): string {
  const served = registry.kindsOf(group, groupVersion)
  const builtin = served.some((kind) => !isCustom(kind)) ? openapi(name) : openapiDocument({}, {})
  return JSON.stringify(withCustomKinds(builtin, served.filter(isCustom)))
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase()
}
