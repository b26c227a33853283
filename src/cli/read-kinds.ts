import { ApiError, type Client, type Resource } from '../client/index.ts'
import type { KubeObject } from '../objects/index.ts'

/** A kind that answers depend on. */
export interface Wanted {
  readonly resource: Resource
  /** A cluster need not know it: then there is none of it. */
  readonly optional: boolean
}

interface Refused {
  readonly resource: Resource
  readonly error: Error
}

/** All objects of each kind, or what kept some of them from being read: then there is no verdict to stand behind. */
export async function readKinds(
  client: Client,
  wanted: readonly Wanted[],
): Promise<ReadonlyMap<Resource, readonly KubeObject[]> | string> {
  const found = new Map<Resource, readonly KubeObject[]>()
  const refused: Refused[] = []
  await Promise.all(
    wanted.map(async ({ resource, optional }) => {
      try {
        found.set(resource, await readAll(client, resource))
      } catch (error) {
        if (optional && error instanceof ApiError && error.code === 404) found.set(resource, [])
        else refused.push({ resource, error: error as Error })
      }
    }),
  )
  return refused.length === 0 ? found : explainRefusals(refused)
}

/** A list that takes longer than the server keeps its state begins again, once. */
async function readAll(client: Client, resource: Resource): Promise<readonly KubeObject[]> {
  try {
    return await listAll(client, resource)
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 410) throw error
    return listAll(client, resource)
  }
}

async function listAll(client: Client, resource: Resource): Promise<readonly KubeObject[]> {
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
  const all: KubeObject[] = []
  // Objects of a list do not say what they are.
  for await (const one of pages(client, resource)) all.push({ ...one, apiVersion, kind: resource.kind } as KubeObject)
  return all
}

/** All objects of a kind, page by page. */
export async function* pages(client: Client, resource: Resource) {
  let next: string | undefined
  do {
    const page = await client.list(resource, { limit: 500, ...(next === undefined ? {} : { continue: next }) })
    yield* page.items
    next = page.metadata.continue || undefined
  } while (next !== undefined)
}

/** Every missing right at once, by verb and resource; or which kinds the API server does not tell now. */
function explainRefusals(refused: readonly Refused[]): string {
  const name = ({ plural, group }: Resource): string => (group === '' ? plural : `${plural}.${group}`)
  const codeOf = ({ error }: Refused): number => (error instanceof ApiError ? error.code : 0)
  const denied = refused.filter((one) => codeOf(one) === 401 || codeOf(one) === 403)
  const [first] = denied
  if (first !== undefined && codeOf(first) === 401)
    return `the API server does not know who asks (${first.error.message}), so there is no verdict`
  if (first !== undefined) {
    const names = denied.map(({ resource }) => name(resource)).sort()
    return `no verdict without the right to list, in all namespaces: ${names.join(', ')} (${first.error.message}); plumb access prints the ClusterRole that reading needs`
  }
  const said = refused.map(({ resource, error }) => `${name(resource)}: ${error.message}`).sort()
  return `the API server does not tell everything now, so there is no verdict; try again when it is ready: ${said.join('; ')}`
}
