// Faults that a lab can have, each in a namespace of its own, and what the doctor must name first.

import { networkFaults } from './doctor-faults-network.ts'
import { protocolFaults } from './doctor-faults-protocol.ts'
import { ingressOf, type Parts, serviceOf } from './doctor-objects.ts'
import { answers, closes, http, neverAccepts, run, sleeps } from './doctor-programs.ts'

/** What is wrong, where, and who is to blame. */
export interface Fault {
  /** Also its namespace. */
  readonly name: string
  /** Rows of the fault catalogue. */
  readonly rows: string
  readonly says: string
  readonly parts: Parts
  /** `svc/web:80`, within the namespace, or a URL; `svc/web` unless told. */
  readonly target?: string
  /** Done with all objects in place; gives the way back. Faults that do this are tried one after another. */
  readonly inject?: readonly {
    /** A node, `router`, `outside`, `kubectl` for whoever may change objects, or `pod/NAME`; `$APP` is the address of pod `app`, `$NAMESPACE` its namespace. */
    readonly node: string
    readonly on: string
    readonly off: string
  }[]
  readonly rule: string
  /** `service/web` of the fault's namespace; what is in none, or in another, is named whole. */
  readonly object: string
  /** The field, or a part of it; any unless told. */
  readonly field?: string
  /** Who made the 5xx that the client sees. */
  readonly emitter?: 'gateway' | 'backend'
  /** With it nothing behind the Service can be tried, so that another fault there stays unseen. */
  readonly hides?: boolean
  /** Part of every test run. */
  readonly usual?: boolean
}

const targetPort = (value: string | number): string => `{ name: http, port: 80, targetPort: ${value} }`
const isolates = (direction: 'Ingress' | 'Egress', app: string, rules: string): string =>
  `{ podSelector: { matchLabels: { app: ${app} } }, policyTypes: [${direction}], ${direction.toLowerCase()}: ${rules} }`

/** Signals the agent of node-1, found in the lab's own process namespace by its words. */
const signalAgent = (signal: string): string =>
  `for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline 2>/dev/null | grep -q -- " [a]gent .*--node-name node-1 " && kill -${signal} ${'$'}{p#/proc/}; done; true`

const manualSlice = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints: [{ addresses: [10.244.0.251], conditions: { ready: true } }]`
const externalName = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: ExternalName, externalName: 192.0.2.1, ports: [{ port: 80 }] }`

// biome-ignore format: a line for what is wrong, a line for who is to blame
export const faults: readonly Fault[] = [
  { name: 'selector', rows: '1', says: 'the selector matches no pod', hides: true, usual: true,
    parts: { service: { selector: '{ app: wbe }' } }, rule: 'selector-matches-nothing', object: 'service/web', field: 'spec.selector' },
  { name: 'target-port', rows: '3', says: 'targetPort is a number where nothing listens', usual: true,
    parts: { service: { port: targetPort(8081) } }, rule: 'wrong-target-port', object: 'service/web', field: 'spec.ports[0].targetPort' },
  { name: 'named-port', rows: '4', says: 'targetPort names a port that no container has', hides: true,
    parts: { service: { port: targetPort('htpp') } }, rule: 'port-not-in-pod', object: 'service/web', field: 'spec.ports[0].targetPort' },
  { name: 'named-port-protocol', rows: '6', says: 'the container’s port of that name is UDP', hides: true,
    parts: { app: { ports: '[{ name: http, containerPort: 8080, protocol: UDP }]' }, service: { port: targetPort('http') } },
    rule: 'port-not-in-pod', object: 'service/web', field: 'spec.ports[0].targetPort' },
  { name: 'not-ready', rows: '7', says: 'the readiness probe asks where nothing answers', usual: true,
    parts: { app: { command: http('0.0.0.0'), more: 'readinessProbe: { tcpSocket: { port: 9 }, periodSeconds: 1 }' } },
    rule: 'pods-not-ready', object: 'pod/app', field: 'readinessProbe' },
  { name: 'readiness-gate', rows: '7', says: 'a readiness gate that nobody opens',
    parts: { app: { pod: 'readinessGates: [{ conditionType: example.com/checked }]' } }, rule: 'pods-not-ready', object: 'pod/app', field: 'spec.readinessGates' },
  { name: 'crash-loop', rows: '19', says: 'the container ends as soon as it starts',
    parts: { app: { command: '[sh, -c, exit 1]' } }, rule: 'pods-not-ready', object: 'pod/app', field: 'containerStatuses' },
  { name: 'no-node', rows: '96', says: 'no node takes the pod', hides: true,
    parts: { app: { pod: 'nodeSelector: { disk: none }' } }, rule: 'pods-not-ready', object: 'pod/app', field: 'spec.nodeName' },
  { name: 'loopback', rows: '17', says: 'the application listens on 127.0.0.1 alone', usual: true,
    parts: { app: { command: http('127.0.0.1') } }, rule: 'listens-on-loopback', object: 'pod/app', field: 'spec.containers' },
  { name: 'one-family', rows: '18, 94', says: 'the Service has two families, the application one',
    parts: { app: { command: http('0.0.0.0') }, service: { spec: ['ipFamilyPolicy: RequireDualStack'] } }, rule: 'one-family', object: 'pod/app', field: 'spec.containers' },
  { name: 'down', rows: '19', says: 'nothing listens in the pod',
    parts: { app: { command: sleeps } }, rule: 'nothing-listens', object: 'pod/app', field: 'spec.containers' },
  { name: 'closes', rows: '21', says: 'the application closes before it answers (502)', usual: true,
    parts: { app: { command: closes } }, rule: 'closes-early', object: 'pod/app', field: 'spec.containers' },
  { name: 'slow', rows: '23', says: 'the application does not answer in time (504)', usual: true,
    parts: { app: { command: run('require("net").createServer((s) => s.resume()).listen(8080)') } }, rule: 'too-slow', object: 'pod/app', field: 'spec.containers' },
  { name: 'fails', rows: '28', says: 'the application itself answers 502', usual: true,
    parts: { app: { command: answers('s.statusCode = 502; s.end()') } }, rule: 'backend-error', object: 'pod/app', field: 'spec.containers' },
  { name: 'speaks-tls', rows: '32', says: 'HTTP is sent to a port that speaks TLS', usual: true,
    parts: { app: { command: run('require("tls").createServer().listen(8080)') } }, rule: 'wrong-protocol', object: 'service/web', field: 'appProtocol' },
  { name: 'speaks-http', rows: '33', says: 'TLS is sent to a port that speaks HTTP',
    parts: { app: { command: http('::') }, service: { port: '{ name: https, port: 443, targetPort: 8080 }' } }, rule: 'wrong-protocol', object: 'service/web', field: 'appProtocol' },
  { name: 'speaks-http1', rows: '34', says: 'HTTP/2 is sent to a port that speaks HTTP/1.1',
    parts: { app: { command: http('::') }, service: { port: '{ name: web, port: 80, targetPort: 8080, appProtocol: kubernetes.io/h2c }' } },
    rule: 'wrong-protocol', object: 'service/web', field: 'appProtocol' },
  { name: 'policy-ingress', rows: '43', says: 'a NetworkPolicy denies what comes to the pods', usual: true,
    parts: { policies: { deny: isolates('Ingress', 'web', '[]') } }, rule: 'policy-denies', object: 'networkpolicy/deny' },
  { name: 'policy-egress', rows: '44', says: 'a NetworkPolicy denies what the client sends, DNS aside',
    parts: { policies: { deny: isolates('Egress', 'client', '[{ ports: [{ port: 53, protocol: UDP }] }]') } }, rule: 'policy-denies', object: 'networkpolicy/deny' },
  { name: 'policy-dns', rows: '45', says: 'a NetworkPolicy lets the client reach the pods and not the cluster’s DNS', usual: true,
    parts: { policies: { deny: isolates('Egress', 'client', '[{ to: [{ podSelector: {} }] }]') } }, rule: 'dns', object: 'networkpolicy/deny' },
  { name: 'policy-port', rows: '46', says: 'a NetworkPolicy allows the Service’s port, not the pod’s',
    parts: { policies: { allow: isolates('Ingress', 'web', '[{ ports: [{ port: 80 }] }]') } }, rule: 'policy-denies', object: 'networkpolicy/allow' },
  { name: 'external-local', rows: '64', says: 'externalTrafficPolicy Local, asked at a node without endpoint', usual: true,
    parts: { app: { node: 'node-1' }, service: { spec: ['externalTrafficPolicy: Local', 'type: NodePort'] } },
    rule: 'traffic-policy-local', object: 'service/web', field: 'spec.externalTrafficPolicy' },
  { name: 'internal-local', rows: '65', says: 'internalTrafficPolicy Local, asked on a node without endpoint',
    parts: { app: { node: 'node-1' }, service: { spec: ['internalTrafficPolicy: Local'] } }, rule: 'traffic-policy-local', object: 'service/web', field: 'spec.internalTrafficPolicy' },
  { name: 'source-ranges', rows: '49', says: 'the client is in none of loadBalancerSourceRanges',
    parts: { service: { spec: ['type: LoadBalancer', 'loadBalancerSourceRanges: [192.0.2.0/24]'] } }, rule: 'source-ranges', object: 'service/web', field: 'spec.loadBalancerSourceRanges' },
  { name: 'pending', rows: '74, 75', says: 'nobody gives the load balancer an address',
    parts: { service: { spec: ['type: LoadBalancer', 'loadBalancerClass: example.com/none'] } }, rule: 'external-address', object: 'service/web', field: 'spec.loadBalancerClass' },
  { name: 'not-announced', rows: '76', says: 'an external IP that nobody announces', usual: true,
    parts: { service: { spec: ['externalIPs: [203.0.113.88]'] } }, rule: 'external-address', object: 'service/web', field: 'spec.externalIPs' },
  { name: 'manual-slice', rows: '11', says: 'a slice kept by hand lists an address that no pod has', hides: true,
    parts: { only: manualSlice }, rule: 'stale-slices', object: 'endpointslice/web-1', field: 'endpoints' },
  { name: 'external-name', rows: '10', says: 'an ExternalName that is an address', hides: true,
    parts: { only: externalName }, rule: 'not-served', object: 'service/web', field: 'spec.externalName' },
  { name: 'twice-external', rows: '69, 77', says: 'an older Service has the external IP already',
    parts: { service: { spec: ['externalIPs: [172.30.0.200]'] }, more: [serviceOf({ spec: ['externalIPs: [172.30.0.200]'] }, 'elder')] },
    rule: 'duplicate-address', object: 'service/web', field: 'spec.externalIPs' },
  { name: 'ingress-backend', rows: '12', says: 'an Ingress names a Service that is not there', hides: true, target: 'http://backend.example/', emitter: 'gateway',
    parts: { ingress: { host: 'backend.example', service: 'wbe' } }, rule: 'no-route', object: 'ingress/web', field: 'backend.service.name' },
  { name: 'ingress-class', rows: '13', says: 'an Ingress names a class that is not there', hides: true, target: 'http://class.example/', usual: true,
    parts: { ingress: { host: 'class.example', className: 'none' } }, rule: 'no-route', object: 'ingress/web', field: 'spec.ingressClassName' },
  { name: 'ingress-host', rows: '15', says: 'no rule is for the host', hides: true, target: 'http://host.example/',
    parts: { ingress: { host: 'www.host.example' } }, rule: 'no-route', object: 'request/host.example', field: 'host' },
  { name: 'ingress-tls', rows: '36, 39', says: 'the Secret of an Ingress’s certificate is not there', target: 'https://tls.example/',
    parts: { ingress: { host: 'tls.example', tls: 'tls: [{ hosts: [tls.example], secretName: none }]' } },
    rule: 'gateway-certificate', object: 'ingress/web', field: 'spec.tls[0].secretName' },
  { name: 'ingress-closes', rows: '21', says: 'the gateway says 502, because the application closes before it answers', target: 'http://closes.example/', emitter: 'gateway', usual: true,
    parts: { app: { command: closes }, ingress: { host: 'closes.example' } }, rule: 'closes-early', object: 'pod/app', field: 'spec.containers' },
  { name: 'ingress-fails', rows: '28', says: 'the application says 502 itself, and the gateway hands it on', target: 'http://fails.example/', emitter: 'backend', usual: true,
    parts: { app: { command: answers('s.statusCode = 502; s.end()') }, ingress: { host: 'fails.example' } }, rule: 'backend-error', object: 'pod/app', field: 'spec.containers' },
  { name: 'ingress-down', rows: '19', says: 'the gateway says 503, because nothing listens in the pod', target: 'http://down.example/', emitter: 'gateway',
    parts: { app: { command: sleeps }, ingress: { host: 'down.example' } }, rule: 'nothing-listens', object: 'pod/app', field: 'spec.containers' },
  { name: 'not-forwarding', rows: '91', says: 'a node does not forward packets', usual: true,
    parts: { app: { node: 'node-2' } }, rule: 'not-forwarding', object: 'node/node-2', field: 'net.ipv4.ip_forward',
    inject: [{ node: 'node-2', on: 'sysctl -qw net.ipv4.ip_forward=0', off: 'sysctl -qw net.ipv4.ip_forward=1' }] },
  { name: 'firewall', rows: '50', says: 'another program’s rules drop what is forwarded to the pod', usual: true,
    parts: { app: { node: 'node-2' } }, rule: 'foreign-firewall', object: 'node/node-2', field: 'nftables',
    inject: [{ node: 'node-2',
      on: 'nft "add table ip other; add chain ip other forward { type filter hook forward priority 5; }; add rule ip other forward tcp dport 8080 drop"',
      off: 'nft delete table ip other' }] },
  { name: 'route-lost', rows: '87', says: 'the route to another node’s pods is gone',
    parts: { app: { node: 'node-2' } }, rule: 'kernel-differs', object: 'node/node-1', field: 'routes',
    // Kept aside in a table that no rule asks.
    inject: [{ node: 'node-1',
      on: 'r=$(ip -4 route | grep -m1 "via 172.30.0.12 " | cut -d" " -f1); ip route add $r via 172.30.0.12 table 99 && ip route del $r',
      off: 'r=$(ip -4 route show table 99 | cut -d" " -f1); ip route add $r via 172.30.0.12 proto 80 && ip route flush table 99' }] },
  { name: 'agent-frozen', rows: '55', says: 'the agent of a node hangs, and its rules lack the Service', usual: true,
    parts: { app: { node: 'node-2' }, service: { spec: ['clusterIP: 10.96.77.77'] } }, rule: 'agent-silent', object: 'node/node-1', field: 'agent',
    inject: [{ node: 'node-1',
      on: `${signalAgent("STOP")}; nft delete element ip plumb-services service-class { 10.96.77.77 . tcp . 80 } 2>/dev/null; true`,
      off: signalAgent('CONT') }] },

  { name: 'backlog', rows: '20', says: 'the application accepts no more connections: its backlog is full',
    parts: { app: { command: neverAccepts } }, rule: 'backlog-full', object: 'pod/app', field: 'spec.containers' },
  { name: 'headers', rows: '25', says: 'the gateway says 502, because the answer’s headers are too large for it', target: 'http://headers.example/', emitter: 'gateway',
    parts: { app: { command: answers('s.setHeader("x-large", "x".repeat(20000)); s.end("ok")') }, ingress: { host: 'headers.example' } },
    rule: 'answer-not-taken', object: 'pod/app', field: 'spec.containers' },
  { name: 'malformed', rows: '27', says: 'the gateway says 502, because the answer is no HTTP', target: 'http://malformed.example/', emitter: 'gateway',
    parts: { app: { command: run('require("net").createServer((s) => s.on("error", () => {}).once("data", () => s.end("HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nContent-Length: 3\\r\\n\\r\\nok"))).listen(8080)') }, ingress: { host: 'malformed.example' } },
    rule: 'answer-not-taken', object: 'pod/app', field: 'spec.containers' },
  { name: 'redirects', rows: '29', says: 'the application redirects to what was asked for',
    parts: { app: { command: answers('s.writeHead(301, { location: "http://" + q.headers.host + q.url }); s.end()') } },
    rule: 'redirects-to-itself', object: 'pod/app', field: 'spec.containers' },
  { name: 'ingress-twice', rows: '16', says: 'an older Ingress has the host and path already', hides: true, target: 'http://twice.example/',
    parts: { more: [ingressOf({ host: 'twice.example', service: 'wbe' }, 'elder')], ingress: { host: 'twice.example' } },
    rule: 'no-route', object: 'ingress/elder', field: 'backend.service.name' },
  { name: 'path-mtu', rows: '84', says: 'the two ends of a link differ in MTU, and large packets are lost without a word',
    parts: { app: { node: 'node-2', command: http('::') } }, rule: 'path-mtu', object: 'node/node-2', field: 'mtu',
    // Whole segments of TCP pass a veth whatever their size, so that the sender must cut them.
    inject: [{ node: 'node-1', on: 'ip link set eth0 gso_max_segs 1', off: 'ip link set eth0 gso_max_segs 65535' },
      { node: 'node-2', on: 'ip link set eth0 mtu 1300', off: 'ip link set eth0 mtu 1500' }] },
  { name: 'lossy-selector', rows: '2', says: 'the selector takes pods of another application too',
    parts: { more: ['apiVersion: v1\nkind: Pod\nmetadata: { name: batch, labels: { app: web, job: nightly } }\nspec:\n  containers: [{ name: batch, image: batch, command: [sleep, infinity] }]'] },
    rule: 'selector-too-wide', object: 'service/web', field: 'spec.selector' },
  ...protocolFaults,
  ...networkFaults,
]
