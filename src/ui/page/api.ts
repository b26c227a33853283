/** Asks the API; rejects with its words where there is no answer. */
export async function ask<T>(path: string, parameters: Readonly<Record<string, string | undefined>> = {}): Promise<T> {
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => !!pair[1])
  const search = new URLSearchParams(given).toString()
  const response = await fetch(`/api/${path}${search === '' ? '' : `?${search}`}`)
  const body = (await response.json().catch(() => ({ error: `HTTP ${response.status}` }))) as T & { error?: string }
  if (!response.ok) throw new Error(body.error ?? `HTTP ${response.status}`)
  return body
}

/** One of the views: it is told when the address or the objects change. */
export interface View {
  update(query: Readonly<Record<string, string>>): void
  changed?(): void
  close?(): void
}
