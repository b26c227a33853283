import type { IncomingHttpHeaders } from 'node:http'
import type { Core } from './core.ts'
import { authorize } from './decision.ts'
import type { User } from './scope.ts'

/** The user that the request acts as (`kubectl --as`): the asking one, or another whom that one may impersonate. */
export function effectiveUser({ reader, nodes }: Core, user: User, headers: IncomingHttpHeaders): User {
  const name = headers['impersonate-user']
  if (typeof name !== 'string' || name === '') return user
  const asked = listOf(headers['impersonate-group'])
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name)
  const may = (resource: string, object: string, namespace?: string) =>
    authorize(reader, nodes, user, { verb: 'impersonate', group: '', resource, namespace, name: object })
  if (account === null) may('users', name)
  else may('serviceaccounts', account[2]!, account[1])
  for (const group of asked) may('groups', group)
  const usual =
    account === null || asked.length > 0 ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`]
  const groups = new Set([...asked, ...usual, 'system:authenticated'])
  return { name, uid: '', groups: [...groups], extra: {} }
}

function listOf(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '')
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
