import type { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import type { Outcome, Speech, TlsAnswer } from '../doctor/index.ts'
import { parseHttp, requestText } from './speak.ts'

/** Speaks TLS and then HTTP/1.1 over a connection. Certificates are looked at and not believed or refused. */
export function speakTls(
  socket: Socket,
  speech: Extract<Speech, { kind: 'https' }>,
  answerMs: number,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let answer: TlsAnswer | undefined
    const timer = setTimeout(() => finish({ kind: 'stalled' }), answerMs)
    const secure = connect({
      socket,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      ...(speech.sni === '' ? {} : { servername: speech.sni }),
    })
    function finish(outcome: Outcome): void {
      clearTimeout(timer)
      secure.destroy()
      resolve(outcome)
    }
    secure.once('secureConnect', () => {
      answer = describe(secure)
      secure.write(requestText(speech))
    })
    secure.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const http = parseHttp(Buffer.concat(chunks))
      if (http !== undefined)
        finish({
          kind: 'answered',
          says: `HTTPS ${http.status}`,
          http,
          ...(answer === undefined ? {} : { tls: answer }),
        })
    })
    secure.once('end', () => finish({ kind: 'closed', how: 'end' }))
    secure.once('error', (error: NodeJS.ErrnoException) => finish(readError(error)))
  })
}

/** Of OpenSSL's names. */
const alerts = [
  { codes: /ALERT_NO_APPLICATION_PROTOCOL/, alert: 'no_application_protocol' },
  { codes: /ALERT_CERTIFICATE_REQUIRED/, alert: 'certificate_required' },
  { codes: /ALERT_HANDSHAKE_FAILURE/, alert: 'handshake_failure' },
] as const

function readError(error: NodeJS.ErrnoException): Outcome {
  const { code = '' } = error
  if (code === 'ECONNRESET' || code === 'EPIPE') return { kind: 'closed', how: 'reset' }
  if (
    code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
    code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' ||
    code === 'ERR_SSL_HTTP_REQUEST'
  ) {
    return { kind: 'garbled', speaks: 'http', says: 'what is no TLS came back to a TLS ClientHello' }
  }
  const alert = alerts.find(({ codes }) => codes.test(code))?.alert
  return {
    kind: 'garbled',
    speaks: 'tls',
    ...(alert === undefined ? {} : { alert }),
    says: `TLS: ${error.message.split('\n')[0]?.replace(/^.*SSL routines:[^:]*:/, '') ?? code}`,
  }
}

function describe(secure: TLSSocket): TlsAnswer {
  const certificate = secure.getPeerCertificate()
  const names = (certificate.subjectaltname ?? '')
    .split(', ')
    .flatMap((one) => (one.startsWith('DNS:') ? [one.slice(4)] : []))
  const cn = certificate.subject?.CN
  return {
    alpn: typeof secure.alpnProtocol === 'string' ? secure.alpnProtocol : undefined,
    subject: Array.isArray(cn) ? (cn[0] ?? '') : (cn ?? ''),
    names,
    notBefore: toIso(certificate.valid_from),
    notAfter: toIso(certificate.valid_to),
  }
}

/** RFC 3339 of what OpenSSL writes. */
function toIso(text: string | undefined): string {
  return text === undefined ? '' : new Date(text).toISOString()
}
