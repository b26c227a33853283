import type { Attempt } from './authorization.ts'
import type { ResourcePath } from './path.ts'
import { isTrue } from './watch.ts'

const collectionVerbs: Readonly<Record<string, string>> = { GET: 'list', POST: 'create', DELETE: 'deletecollection' }
const objectVerbs: Readonly<Record<string, string>> = {
  GET: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** What a request to a resource wants to do, in the words of authorization. */
export function attemptOf(path: ResourcePath, method: string, query: URLSearchParams): Attempt {
  const { group, plural, subresource, namespace, name } = path
  const watching = method === 'GET' && name === undefined && (path.watch || isTrue(query.get('watch')))
  const verbs = name === undefined ? collectionVerbs : objectVerbs
  const verb = watching ? 'watch' : (verbs[method] ?? method.toLowerCase())
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`
  // A namespace itself is authorized in itself, as upstream does.
  const place = namespace ?? (group === '' && plural === 'namespaces' ? name : undefined)
  const fields = name === undefined ? (query.get('fieldSelector') ?? undefined) : undefined
  return { verb, group, resource, namespace: place, name: name ?? namedBy(fields), fields }
}

/** The one name that a field selector lets through, which stands for the object's name, as upstream takes it. */
function namedBy(fields: string | undefined): string | undefined {
  for (const part of (fields ?? '').split(',')) {
    const name = /^metadata\.name==?([^=!].*)$/.exec(part.trim())?.[1]
    if (name !== undefined) return name
  }
  return undefined
}
