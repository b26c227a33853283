import type { ClusterPolicyProtocol } from '../objects/index.ts'
import { isPort } from './compile-port.ts'
import type { PortMatch, Ports, Transport } from './model.ts'
import type { Reader } from './reader.ts'

const transports = ['tcp', 'udp', 'sctp'] as const satisfies readonly Transport[]

/** The protocols of a cluster-wide rule: none given means all of them. Undefined when one cannot be read. */
export function compileProtocols(
  reader: Reader,
  field: string,
  given: readonly ClusterPolicyProtocol[] | undefined,
): Ports | undefined {
  if (given === undefined || given === null || given.length === 0) return { kind: 'any' }
  const ports: PortMatch[] = []
  let broken = false
  for (const [index, one] of given.entries()) {
    const found = compileProtocol(reader.object, `${field}[${index}]`, one)
    if (typeof found !== 'string') ports.push(...found)
    else {
      broken = true
      const { object, findings } = reader
      const remedy = 'write one of tcp, udp, sctp and destinationNamedPort, and ports from 1 to 65535'
      findings.push({ code: 'BrokenProtocol', object, field: `${field}[${index}]`, says: found, try: remedy })
    }
  }
  return broken ? undefined : { kind: 'some', ports }
}

function compileProtocol(object: string, field: string, given: ClusterPolicyProtocol): PortMatch[] | string {
  const name = given.destinationNamedPort
  const [protocol, ...more] = transports.filter((one) => given[one] !== undefined)
  if (more.length > 0 || (protocol !== undefined && name !== undefined)) return 'an item is for one protocol'
  if (name !== undefined) {
    const because = { object, field: `${field}.destinationNamedPort`, value: name }
    return transports.map((one) => ({ kind: 'named', protocol: one, name, because }))
  }
  if (protocol === undefined) return 'the item has no field that is known'
  const port = given[protocol]?.destinationPort
  const range = (first: number, last: number, value: string): PortMatch[] => {
    return [{ kind: 'range', protocol, first, last, because: { object, field: `${field}.${protocol}`, value } }]
  }
  if (port === undefined) return range(0, 65535, `any ${protocol} port`)
  const { number, range: span } = port
  if (number !== undefined && span === undefined && isPort(number)) return range(number, number, String(number))
  if (number === undefined && span !== undefined) {
    const { start, end } = span
    if (isPort(start) && isPort(end) && start <= end) return range(start, end, `${start}-${end}`)
  }
  return `${JSON.stringify(port)} is no port and no range of ports`
}
