import { familyOf } from '../addr/index.ts'
import type { Network } from '../host/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import { classId, numberOf, readClass, type Sets, sets, tableOf } from '../services/index.ts'
import type { ObservedFrontend, ObserveRequest } from './observe.ts'
import { readAddress, readPort, readTransport } from './question.ts'

/** What the kernel holds for one address, protocol and port, read map by map, beside what it should hold. */
export async function answerFrontend(
  network: Network,
  plan: NodePlan,
  question: NonNullable<ObserveRequest['frontend']>,
): Promise<ObservedFrontend> {
  const address = readAddress('frontend.address', question.address)
  const port = readPort('frontend.port', question.port)
  const family = familyOf(address)
  const id = `${address} . ${readTransport(question.protocol)} . ${port}`
  const { family: tableFamily, table } = tableOf(family)
  const read = (set: keyof Sets) => network.elements(tableFamily, table, sets[family][set])
  const classes = await read('serviceClass')
  const text = classes.find(({ key }) => key === id)?.value ?? null
  const known = (await read('clusterIps')).some(({ key }) => key === address)
  const refused = known || (await read('noEndpoints')).some(({ key }) => key === id)
  const desired = plan.findFrontend(id)
  const seats = desired?.taken.length === 0 ? [] : (await read('seats')).map(({ value = '' }) => value)
  const meaning = text === null ? undefined : readClass(text)
  const listed = async (map: 'endpoints' | 'localEndpoints'): Promise<readonly string[]> => {
    const prefix = `${id} . `
    return (await read(map))
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, value = '' }) => ({ index: numberOf(key.slice(prefix.length)), value }))
      .sort((a, b) => a.index - b.index)
      .map(({ value }) => value)
  }
  const seated = (some: readonly string[] = []): readonly string[] => some.filter((one) => seats.includes(one))
  const local = meaning?.kind === 'local' || meaning?.kind === 'local-affinity'
  const withSeats = (desired?.taken.length ?? 0) > 0
  const inside = !local ? [] : withSeats ? seated(desired?.inside) : await listed('endpoints')
  const others = withSeats ? seated(desired?.endpoints) : await listed(local ? 'localEndpoints' : 'endpoints')
  return {
    family,
    class: text,
    endpoints: meaning === undefined || ('count' in meaning && meaning.count === 0) ? [] : others,
    inside,
    known: refused,
    desired:
      desired === undefined
        ? null
        : {
            service: desired.owner,
            class: desired.class === undefined ? null : classId(desired.class),
            endpoints: desired.endpoints,
            inside: desired.inside,
          },
  }
}
