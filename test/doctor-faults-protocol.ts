// Faults of what is spoken: HTTP, TLS, the PROXY protocol, and what gateways do with them.

import { secretOf, selfSigned } from './doctor-certificates.ts'
import type { Fault } from './doctor-faults.ts'
import { gatewayOf } from './doctor-objects.ts'
import { answers, haproxy, http, run } from './doctor-programs.ts'

const early = await selfSigned('early.example', 2, 30)
const expired = await selfSigned('expired.example', -30, -1)
const pods = await selfSigned('pods.example', -1, 30)
const other = await selfSigned('pods.example', -1, 30)

const https = '{ name: https, port: 443, targetPort: 8080 }'
const tlsOf = (options: string, how: string): string =>
  run(
    `const { cert, key } = ${JSON.stringify(pods)}; ${how}.listen(8080)`.replace(
      'OPTIONS',
      `{ cert, key, ${options} }`,
    ),
  )
const secured = (host: string): string => `tls: [{ hosts: [${host}], secretName: cert }]`
/** A worker that has let a connection go is still asked on it: what the race of two timers does now and then, each time. */
const dropsIdle = run(
  `require("net").createServer((s) => { let last; s.on("error", () => {}).on("data", () => {
     const now = Date.now(); if (last && now - last > 900) { s.destroy(); return } last = now;
     s.write("HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok") }) }).listen(8080)`,
)
const authority = `apiVersion: v1
kind: ConfigMap
metadata: { name: authority }
data: ${JSON.stringify({ 'ca.crt': other.cert })}
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: web }
spec:
  targetRefs: [{ group: "", kind: Service, name: web }]
  validation: { hostname: pods.example, caCertificateRefs: [{ group: "", kind: ConfigMap, name: authority }] }`

// biome-ignore format: a line for what is wrong, a line for who is to blame
export const protocolFaults: readonly Fault[] = [
  { name: 'idle-race', rows: '22', says: 'the application lets idle connections go while it is asked on them (502 now and then)', usual: true,
    parts: { app: { command: dropsIdle } }, rule: 'idle-race', object: 'pod/app', field: 'spec.containers' },
  { name: 'cut', rows: '30', says: 'the answer ends before all of its body came',
    parts: { app: { command: run('require("net").createServer((s) => s.on("error", () => {}).once("data", () => s.end("HTTP/1.1 200 OK\\r\\nContent-Length: 5000\\r\\n\\r\\nok"))).listen(8080)') } },
    rule: 'answer-cut', object: 'pod/app', field: 'spec.containers' },
  { name: 'small-heads', rows: '26', says: 'the application refuses requests with large headers',
    parts: { app: { command: run('require("http").createServer({ maxHeaderSize: 2000 }, (q, s) => s.end("ok")).listen(8080)') } },
    rule: 'request-too-large', object: 'pod/app', field: 'spec.containers' },
  { name: 'alpn', rows: '35', says: 'the application takes HTTP/2 alone by ALPN, and is offered HTTP/1.1',
    parts: { app: { command: tlsOf('allowHTTP1: false', 'require("http2").createSecureServer(OPTIONS, (q, s) => s.end("ok"))') }, service: { port: https } },
    rule: 'tls-refused', object: 'pod/app', field: 'spec.containers' },
  { name: 'client-certificate', rows: '38', says: 'the application wants a certificate of whoever connects',
    parts: { app: { command: haproxy('bind :::8080 v4v6 ssl crt $D/pods.pem verify required ca-file $D/pods.pem', { pods: `${pods.cert}\n${pods.key}` }) }, service: { port: https } },
    rule: 'tls-refused', object: 'pod/app', field: 'spec.containers' },
  { name: 'proxy-wanted', rows: '40', says: 'the application expects the PROXY protocol, and nobody sends it',
    parts: { app: { command: haproxy('bind :::8080 v4v6 accept-proxy') } }, rule: 'proxy-header', object: 'service/web', field: 'proxy-protocol' },
  { name: 'proxy-sent', rows: '40', says: 'the gateway sends the PROXY protocol, and the application does not know it', target: 'http://proxy-sent.example/',
    parts: { app: { command: http('::') }, service: { annotations: '{ plumb.network/proxy-protocol: v1 }' }, ingress: { host: 'proxy-sent.example' } },
    rule: 'proxy-header-unexpected', object: 'service/web', field: 'proxy-protocol' },
  { name: 'proxy-asked', rows: '40', says: 'the gateway expects the PROXY protocol of clients that do not send it', target: 'http://proxy-asked.example:8481/',
    parts: { more: [gatewayOf({ host: 'proxy-asked.example', port: 8481, annotations: '{ plumb.network/proxy-protocol: 203.0.113.0/24 }' })] },
    rule: 'proxy-header-unexpected', object: 'gateway/front', field: 'proxy-protocol' },
  { name: 'timeout-order', rows: '24', says: 'the gateway gives up sooner than the application answers (504)', target: 'http://timeout.example/', emitter: 'gateway',
    parts: { app: { command: answers('setTimeout(() => s.end("ok"), 1700)') }, ingress: { host: 'timeout.example', annotations: '{ nginx.ingress.kubernetes.io/proxy-read-timeout: "1" }' } },
    rule: 'timeout-order', object: 'ingress/web', field: 'proxy-read-timeout' },
  { name: 'limits', rows: '71', says: 'the gateway lets a client have less than it asks for (503)', target: 'http://limits.example/', emitter: 'gateway',
    parts: { app: { command: answers('setTimeout(() => s.end("ok"), 500)') }, ingress: { host: 'limits.example', annotations: '{ nginx.ingress.kubernetes.io/limit-connections: "1" }' } },
    rule: 'client-limits', object: 'ingress/web', field: 'metadata.annotations' },
  { name: 'cert-early', rows: '95', says: 'the certificate is not valid yet: a clock is wrong', target: 'https://early.example/',
    parts: { more: [secretOf(early, 'cert')], ingress: { host: 'early.example', tls: secured('early.example') } },
    rule: 'gateway-certificate', object: 'ingress/web', field: 'tls' },
  { name: 'cert-expired', rows: '37', says: 'the certificate’s time is over', target: 'https://expired.example/',
    parts: { more: [secretOf(expired, 'cert')], ingress: { host: 'expired.example', tls: secured('expired.example') } },
    rule: 'gateway-certificate', object: 'ingress/web', field: 'tls' },
  { name: 'pod-certificate', rows: '37', says: 'the gateway trusts another authority than the pods’ certificate has (503)', target: 'http://pods.example:8482/', emitter: 'gateway',
    parts: { app: { command: tlsOf('', 'require("https").createServer(OPTIONS, (q, s) => s.end("ok"))') }, service: { port: '{ name: https, port: 80, targetPort: 8080 }' },
      more: [gatewayOf({ host: 'pods.example', port: 8482 }), authority] },
    rule: 'backend-certificate', object: 'backendtlspolicy/web', field: 'spec.validation' },
  { name: 'route-refused', rows: '14', says: 'an HTTPRoute names a listener that its Gateway does not have', hides: true, target: 'http://refused.example:8483/',
    parts: { more: [gatewayOf({ host: 'refused.example', port: 8483, parent: ', sectionName: htpp' })] }, rule: 'no-route', object: 'httproute/web', field: 'status.parents' },
  { name: 'retry-storm', rows: '73', says: 'each request of a client is six at an application that fails', target: 'http://storm.example:8484/',
    parts: { app: { command: answers('s.statusCode = 503; s.end()') }, more: [gatewayOf({ host: 'storm.example', port: 8484, rule: 'retry: { attempts: 5, codes: [503] }' })] },
    rule: 'retry-storm', object: 'httproute/web', field: 'retry.attempts' },
]
