import type { NetworkPolicy } from '../objects/index.ts'
import type { PortMatch, Ports, Transport } from './model.ts'
import type { Reader } from './reader.ts'

type GivenPort = NonNullable<
  NonNullable<NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number]>['ports']
>[number]

/** The transports by the API's words. */
export const transports: Readonly<Record<string, Transport>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' }

/** The ports of a rule: none given means every port of every protocol. One that cannot be read matches nothing. */
export function compilePorts(reader: Reader, field: string, ports: readonly GivenPort[] | undefined): Ports {
  if (ports === undefined || ports === null || ports.length === 0) return { kind: 'any' }
  return { kind: 'some', ports: ports.flatMap((port, index) => compilePort(reader, `${field}[${index}]`, port)) }
}

function compilePort(reader: Reader, field: string, given: GivenPort): PortMatch[] {
  const { object, findings } = reader
  const { port, endPort, protocol: word = 'TCP' } = given
  const wrong = (code: string, at: string, says: string, remedy: string): PortMatch[] => {
    findings.push({ code, object, field: at, says: `${says}; this item allows nothing`, try: remedy })
    return []
  }
  const protocol = Object.hasOwn(transports, word) ? transports[word] : undefined
  if (protocol === undefined) {
    return wrong('UnknownProtocol', `${field}.protocol`, `"${word}" is no protocol`, 'write TCP, UDP or SCTP')
  }
  const value = `${word}${port === undefined ? '' : ` ${port}`}${endPort === undefined ? '' : `-${endPort}`}`
  const because = { object, field, value }
  if (port === undefined) {
    if (endPort !== undefined) {
      return wrong('EndPortAlone', `${field}.endPort`, 'endPort needs port', 'name the first port of the range')
    }
    return [{ kind: 'range', protocol, first: 0, last: 65535, because }]
  }
  if (typeof port === 'string') {
    if (endPort !== undefined) {
      const says = `endPort ${endPort} needs a number as port, not "${port}"`
      return wrong('EndPortOfName', `${field}.endPort`, says, 'write the port as a number, or drop endPort')
    }
    return [{ kind: 'named', protocol, name: port, because }]
  }
  const last = endPort ?? port
  if (!isPort(port) || !isPort(last) || last < port) {
    const says = `${value} is no range of ports`
    return wrong('BrokenPort', `${field}.port`, says, 'write numbers from 1 to 65535, endPort not below port')
  }
  return [{ kind: 'range', protocol, first: port, last, because }]
}

/** Whether it is a number from 1 to 65535. */
export function isPort(number: unknown): boolean {
  return Number.isInteger(number) && (number as number) >= 1 && (number as number) <= 65535
}
