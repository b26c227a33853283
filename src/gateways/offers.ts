import { compare } from './ingress-class.ts'
import { Shared } from './keyed.ts'
import type { Authority, BackendModel, Because, Certificate, UserList } from './model.ts'

/** What routes lead to and rely on, each once, however many speak of it. */
export interface Offer {
  readonly backends?: readonly BackendModel[]
  readonly certificates?: readonly Certificate[]
  readonly authorities?: readonly Authority[]
  readonly userLists?: readonly UserList[]
}

/** All of it together. Of those who give the same the first by name is told as the cause. */
export class Offers {
  readonly backends = new Shared<BackendModel>(byCause)
  readonly certificates = new Shared<Certificate>(byCause)
  readonly authorities = new Shared<Authority>(() => 0)
  readonly userLists = new Shared<UserList>(() => 0)

  add(offer: Offer): void {
    for (const kind of kinds) for (const one of offer[kind] ?? []) this[kind].add(one.id, one as never)
  }

  remove(offer: Offer): void {
    for (const kind of kinds) for (const one of offer[kind] ?? []) this[kind].remove(one.id, one as never)
  }
}

const kinds = ['backends', 'certificates', 'authorities', 'userLists'] as const

function byCause({ because: a }: { because: Because }, { because: b }: { because: Because }): number {
  return compare(a.object, b.object) || compare(a.field, b.field)
}
