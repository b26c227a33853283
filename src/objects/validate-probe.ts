import type { FieldError } from './contract.ts'
import { complaints, forbidden, invalid, nonNegative, notSupported, required } from './field-error.ts'
import { portNumber } from './names.ts'
import type { Probe } from './types.ts'
import { validatePortOrName } from './validate-service-ports.ts'

/** A probe: one handler, no negative times. Liveness and startup probes succeed at the first success. */
export function validateProbe(probe: Probe | undefined, path: string, succeedsOnce: boolean): FieldError[] {
  if (probe === undefined) return []
  const errors = validateHandler(probe, path)
  const times = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const
  for (const name of times) errors.push(...nonNegative(`${path}.${name}`, probe[name]))
  if (succeedsOnce && probe.successThreshold !== 1)
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'))
  return errors
}

/** What a probe or lifecycle hook does: exactly one of its handlers. */
export function validateHandler(handler: Probe, path: string): FieldError[] {
  const given = (['exec', 'httpGet', 'tcpSocket', 'grpc'] as const).filter((name) => handler[name] !== undefined)
  if (given.length === 0 && !('sleep' in handler)) return [required(path, 'must specify a handler type')]
  const errors = given.slice(1).map((name) => forbidden(`${path}.${name}`, 'may not specify more than 1 handler type'))
  if (given[0] === 'exec' && !handler.exec?.command?.length) errors.push(required(`${path}.exec.command`))
  if (given[0] === 'httpGet' && handler.httpGet !== undefined) {
    const { path: url, port, scheme } = handler.httpGet
    if (!url) errors.push(required(`${path}.httpGet.path`))
    errors.push(...validatePortOrName(port ?? 0, `${path}.httpGet.port`))
    if (scheme !== 'HTTP' && scheme !== 'HTTPS')
      errors.push(notSupported(`${path}.httpGet.scheme`, scheme ?? '', ['HTTP', 'HTTPS']))
  }
  if (given[0] === 'tcpSocket')
    errors.push(...validatePortOrName(handler.tcpSocket?.port ?? 0, `${path}.tcpSocket.port`))
  if (given[0] === 'grpc') {
    const port = handler.grpc?.port ?? 0
    errors.push(...complaints(`${path}.grpc.port`, port, portNumber(port)))
  }
  return errors
}
