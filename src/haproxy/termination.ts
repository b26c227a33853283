/** Who ended a request, and in which phase, out of the first two letters of HAProxy's termination state (Configuration Manual 8.5). */
export interface Termination {
  /** `nobody`: the request ended as it should, and the answer, whatever its status, is the server's own. */
  readonly by: 'nobody' | 'client' | 'server' | 'gateway'
  readonly says: string
  /** The error type of RFC 9209 (`Proxy-Status`), where there is one. */
  readonly error: string | undefined
}

/** Reads `%ts`, e.g. `SC`, `sH`, `--`; undefined for letters that the manual does not know. */
export function parseTermination(state: string): Termination | undefined {
  const exact = states[state.slice(0, 2)]
  return exact === undefined ? undefined : { by: exact[0], says: exact[1], error: exact[2] }
}

const states: Readonly<Record<string, readonly [Termination['by'], string, string | undefined]>> = {
  '--': ['nobody', 'ended normally', undefined],
  CC: ['client', 'the client left before a server was reached', undefined],
  CD: ['client', 'the client left during the transfer', undefined],
  CH: ['client', 'the client left while waiting for the answer', undefined],
  CQ: ['client', 'the client left while waiting for a free server', undefined],
  CR: ['client', 'the client left before its request was whole', 'http_request_error'],
  cD: ['client', 'the client stopped reading', undefined],
  cR: ['client', 'the client did not finish its request in time', 'http_request_error'],
  SC: ['server', 'no server took the connection', 'connection_refused'],
  sC: ['server', 'no server took the connection in time', 'connection_timeout'],
  SH: ['server', 'the server closed before it answered', 'connection_terminated'],
  sH: ['server', 'the server did not answer in time', 'http_response_timeout'],
  SD: ['server', 'the server closed in the middle of its answer', 'http_response_incomplete'],
  sD: ['server', 'the server stalled in the middle of its answer', 'connection_read_timeout'],
  sQ: ['gateway', 'no server was free in time', 'connection_limit_reached'],
  SQ: ['gateway', 'the queue is full', 'connection_limit_reached'],
  PH: ['server', 'the answer is no valid HTTP', 'http_protocol_error'],
  PR: ['gateway', 'the request was refused by a rule or is no valid HTTP', 'http_request_denied'],
  LR: ['gateway', 'answered by the gateway itself', 'proxy_internal_response'],
  RC: ['gateway', 'out of ports, memory or descriptors', 'proxy_internal_error'],
  DC: ['gateway', 'the server was taken out of use', 'destination_unavailable'],
  KD: ['gateway', 'the connection was ended by hand', undefined],
}
