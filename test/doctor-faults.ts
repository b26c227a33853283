// Faults that a lab can have, each in a namespace of its own, and what the doctor must name first.

/** What is wrong, where, and who is to blame. */
export interface Fault {
  /** Also its namespace. */
  readonly name: string
  /** Rows of the fault catalogue. */
  readonly rows: string
  readonly says: string
  /** YAML; `Namespace` and the namespace of the objects are added. */
  readonly objects: string
  /** `svc/web:80`, within the namespace, or a URL. */
  readonly target?: string
  /** Done with all objects in place; gives the way back. Faults that do this are tried one after another. */
  readonly inject?: { readonly node: string; readonly on: string; readonly off: string }
  readonly expect: {
    readonly rule: string
    readonly object: RegExp
    readonly field: RegExp
    /** Who made the 5xx that the client sees. */
    readonly emitter?: 'gateway' | 'backend'
  }
  /** Part of every test run. */
  readonly usual?: boolean
}

const run = (script: string): string => `[${JSON.stringify(process.execPath)}, "-e", ${JSON.stringify(script)}]`

interface AppOptions {
  readonly command?: string
  readonly labels?: string
  readonly ports?: string
  readonly more?: string
  readonly node?: string
}

/** A pod `app` that serves, or a real process where a command is given. */
function app({
  command,
  labels = '{ app: web }',
  ports = '[{ name: http, containerPort: 8080 }]',
  more = '',
  node,
}: AppOptions = {}): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: app, labels: ${labels} }
spec:
  ${node === undefined ? '' : `nodeName: ${node}`}
  containers:
    - name: app
      image: app
      ports: ${ports}
      ${command === undefined ? '' : `command: ${command}`}
      ${more}
---`
}

/** A Service \`web\`. */
function web(spec = '', port = '{ name: http, port: 80, targetPort: 8080 }', selector = '{ app: web }'): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  selector: ${selector}
  ports: [${port}]
  ${spec}
---`
}

const client = `
apiVersion: v1
kind: Pod
metadata: { name: client, labels: { app: client } }
spec:
  containers: [{ name: client, image: client, command: [sleep, infinity] }]
---`

const policy = (name: string, spec: string): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name} }
spec: ${spec}
---`

const http = (host: string, port = 8080): string =>
  run(`require("http").createServer((q, s) => s.end("ok")).listen(${port}, "${host}")`)
/** An Ingress `web` of Plumb's class for one host. */
const ingress = (host: string, { service = 'web', className = 'plumb', tls = '' } = {}): string => `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web }
spec:
  ingressClassName: ${className}
  ${tls}
  rules:
    - host: ${host}
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: ${service}, port: { number: 80 } } } }] }
---`

/** Signals the agent of node-1, found in the lab's own process namespace by its words. */
const signalAgent = (signal: string): string =>
  `for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline 2>/dev/null | grep -q -- " [a]gent .*--node-name node-1 " && kill -${signal} ${'$'}{p#/proc/}; done; true`

const toNode1 = 'externalTrafficPolicy: Local\n  type: NodePort'

export const faults: readonly Fault[] = [
  {
    name: 'selector',
    rows: '1',
    says: 'the selector matches no pod',
    objects: app() + client + web('', undefined, '{ app: wbe }'),
    expect: { rule: 'selector-matches-nothing', object: /^service\/selector\/web$/, field: /^spec\.selector$/ },
    usual: true,
  },
  {
    name: 'target-port',
    rows: '3',
    says: 'targetPort is a number where nothing listens',
    objects: app() + client + web('', '{ name: http, port: 80, targetPort: 8081 }'),
    expect: {
      rule: 'wrong-target-port',
      object: /^service\/target-port\/web$/,
      field: /^spec\.ports\[0\]\.targetPort$/,
    },
    usual: true,
  },
  {
    name: 'named-port',
    rows: '4',
    says: 'targetPort names a port that no container has',
    objects: app() + client + web('', '{ name: http, port: 80, targetPort: htpp }'),
    expect: { rule: 'port-not-in-pod', object: /^service\/named-port\/web$/, field: /^spec\.ports\[0\]\.targetPort$/ },
  },
  {
    name: 'named-port-protocol',
    rows: '6',
    says: 'the container’s port of that name is UDP',
    objects:
      app({ ports: '[{ name: http, containerPort: 8080, protocol: UDP }]' }) +
      client +
      web('', '{ name: http, port: 80, targetPort: http }'),
    expect: {
      rule: 'port-not-in-pod',
      object: /^service\/named-port-protocol\/web$/,
      field: /^spec\.ports\[0\]\.targetPort$/,
    },
  },
  {
    name: 'not-ready',
    rows: '7',
    says: 'the readiness probe asks where nothing answers',
    objects:
      app({ command: http('0.0.0.0'), more: 'readinessProbe: { tcpSocket: { port: 9 }, periodSeconds: 1 }' }) +
      client +
      web(),
    expect: { rule: 'pods-not-ready', object: /^pod\/not-ready\/app$/, field: /readinessProbe/ },
    usual: true,
  },
  {
    name: 'readiness-gate',
    rows: '7',
    says: 'a readiness gate that nobody opens',
    objects:
      app().replace('spec:\n', 'spec:\n  readinessGates: [{ conditionType: example.com/checked }]\n') + client + web(),
    expect: { rule: 'pods-not-ready', object: /^pod\/readiness-gate\/app$/, field: /^spec\.readinessGates$/ },
  },
  {
    name: 'crash-loop',
    rows: '19',
    says: 'the container ends as soon as it starts',
    objects: app({ command: '[sh, -c, exit 1]' }) + client + web(),
    expect: { rule: 'pods-not-ready', object: /^pod\/crash-loop\/app$/, field: /containerStatuses/ },
  },
  {
    name: 'no-node',
    rows: '96',
    says: 'no node takes the pod',
    objects: app().replace('spec:\n', 'spec:\n  nodeSelector: { disk: none }\n') + client + web(),
    expect: { rule: 'pods-not-ready', object: /^pod\/no-node\/app$/, field: /^spec\.nodeName$/ },
  },
  {
    name: 'loopback',
    rows: '17',
    says: 'the application listens on 127.0.0.1 alone',
    objects: app({ command: http('127.0.0.1') }) + client + web(),
    expect: { rule: 'listens-on-loopback', object: /^pod\/loopback\/app$/, field: /^spec\.containers$/ },
    usual: true,
  },
  {
    name: 'one-family',
    rows: '18, 94',
    says: 'the Service has two families, the application one',
    objects: app({ command: http('0.0.0.0') }) + client + web('ipFamilyPolicy: RequireDualStack'),
    expect: { rule: 'one-family', object: /^pod\/one-family\/app$/, field: /^spec\.containers$/ },
  },
  {
    name: 'down',
    rows: '19',
    says: 'nothing listens in the pod',
    objects: app({ command: '[sleep, infinity]' }) + client + web(),
    expect: { rule: 'nothing-listens', object: /^pod\/down\/app$/, field: /^spec\.containers$/ },
  },
  {
    name: 'closes',
    rows: '21',
    says: 'the application closes before it answers (502)',
    objects:
      app({ command: run('require("net").createServer((s) => s.once("data", () => s.end())).listen(8080)') }) +
      client +
      web(),
    expect: { rule: 'closes-early', object: /^pod\/closes\/app$/, field: /^spec\.containers$/ },
    usual: true,
  },
  {
    name: 'slow',
    rows: '23',
    says: 'the application does not answer in time (504)',
    objects: app({ command: run('require("net").createServer((s) => s.resume()).listen(8080)') }) + client + web(),
    expect: { rule: 'too-slow', object: /^pod\/slow\/app$/, field: /^spec\.containers$/ },
    usual: true,
  },
  {
    name: 'fails',
    rows: '28',
    says: 'the application itself answers 502',
    objects:
      app({ command: run('require("http").createServer((q, s) => { s.statusCode = 502; s.end() }).listen(8080)') }) +
      client +
      web(),
    expect: { rule: 'backend-error', object: /^pod\/fails\/app$/, field: /^spec\.containers$/ },
    usual: true,
  },
  {
    name: 'speaks-tls',
    rows: '32',
    says: 'HTTP is sent to a port that speaks TLS',
    objects: app({ command: run('require("tls").createServer().listen(8080)') }) + client + web(),
    expect: { rule: 'wrong-protocol', object: /^service\/speaks-tls\/web$/, field: /appProtocol$/ },
    usual: true,
  },
  {
    name: 'speaks-http',
    rows: '33',
    says: 'TLS is sent to a port that speaks HTTP',
    objects: app({ command: http('::') }) + client + web('', '{ name: https, port: 443, targetPort: 8080 }'),
    expect: { rule: 'wrong-protocol', object: /^service\/speaks-http\/web$/, field: /appProtocol$/ },
  },
  {
    name: 'speaks-http1',
    rows: '34',
    says: 'HTTP/2 is sent to a port that speaks HTTP/1.1',
    objects:
      app({ command: http('::') }) +
      client +
      web('', '{ name: web, port: 80, targetPort: 8080, appProtocol: kubernetes.io/h2c }'),
    expect: { rule: 'wrong-protocol', object: /^service\/speaks-http1\/web$/, field: /appProtocol$/ },
  },
  {
    name: 'policy-ingress',
    rows: '43',
    says: 'a NetworkPolicy denies what comes to the pods',
    objects:
      app() + client + web() + policy('deny', '{ podSelector: { matchLabels: { app: web } }, policyTypes: [Ingress] }'),
    expect: { rule: 'policy-denies', object: /^networkpolicy\/policy-ingress\/deny$/, field: /./ },
    usual: true,
  },
  {
    name: 'policy-egress',
    rows: '44',
    says: 'a NetworkPolicy denies what the client sends, DNS aside',
    objects:
      app() +
      client +
      web() +
      policy(
        'deny',
        '{ podSelector: { matchLabels: { app: client } }, policyTypes: [Egress], egress: [{ ports: [{ port: 53, protocol: UDP }] }] }',
      ),
    expect: { rule: 'policy-denies', object: /^networkpolicy\/policy-egress\/deny$/, field: /./ },
  },
  {
    name: 'policy-dns',
    rows: '45',
    says: 'a NetworkPolicy lets the client reach the pods and not the cluster’s DNS',
    objects:
      app() +
      client +
      web() +
      policy(
        'deny',
        '{ podSelector: { matchLabels: { app: client } }, policyTypes: [Egress], egress: [{ to: [{ podSelector: {} }] }] }',
      ),
    expect: { rule: 'dns', object: /^networkpolicy\/policy-dns\/deny$/, field: /./ },
    usual: true,
  },
  {
    name: 'policy-port',
    rows: '46',
    says: 'a NetworkPolicy allows the Service’s port, not the pod’s',
    objects:
      app() +
      client +
      web() +
      policy(
        'allow',
        '{ podSelector: { matchLabels: { app: web } }, policyTypes: [Ingress], ingress: [{ ports: [{ port: 80 }] }] }',
      ),
    expect: { rule: 'policy-denies', object: /^networkpolicy\/policy-port\/allow$/, field: /./ },
  },
  {
    name: 'external-local',
    rows: '64',
    says: 'externalTrafficPolicy Local, asked at a node without endpoint',
    objects: app({ node: 'node-1' }) + client + web(toNode1),
    expect: {
      rule: 'traffic-policy-local',
      object: /^service\/external-local\/web$/,
      field: /^spec\.externalTrafficPolicy$/,
    },
    usual: true,
  },
  {
    name: 'internal-local',
    rows: '65',
    says: 'internalTrafficPolicy Local, asked on a node without endpoint',
    objects: app({ node: 'node-1' }) + client + web('internalTrafficPolicy: Local'),
    expect: {
      rule: 'traffic-policy-local',
      object: /^service\/internal-local\/web$/,
      field: /^spec\.internalTrafficPolicy$/,
    },
  },
  {
    name: 'source-ranges',
    rows: '49',
    says: 'the client is in none of loadBalancerSourceRanges',
    objects: app() + client + web('type: LoadBalancer\n  loadBalancerSourceRanges: [192.0.2.0/24]'),
    expect: {
      rule: 'source-ranges',
      object: /^service\/source-ranges\/web$/,
      field: /^spec\.loadBalancerSourceRanges$/,
    },
  },
  {
    name: 'pending',
    rows: '74, 75',
    says: 'nobody gives the load balancer an address',
    objects: app() + client + web('type: LoadBalancer\n  loadBalancerClass: example.com/none'),
    expect: { rule: 'external-address', object: /^service\/pending\/web$/, field: /^spec\.loadBalancerClass$/ },
  },
  {
    name: 'not-announced',
    rows: '76',
    says: 'an external IP that nobody announces',
    objects: app() + client + web('externalIPs: [203.0.113.88]'),
    expect: { rule: 'external-address', object: /^service\/not-announced\/web$/, field: /^spec\.externalIPs$/ },
    usual: true,
  },
  {
    name: 'manual-slice',
    rows: '11',
    says: 'a slice kept by hand lists an address that no pod has',
    objects: `${client}
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
endpoints: [{ addresses: [10.244.0.251], conditions: { ready: true } }]
---`,
    expect: { rule: 'stale-slices', object: /^endpointslice\/manual-slice\/web-1$/, field: /^endpoints$/ },
  },
  {
    name: 'external-name',
    rows: '10',
    says: 'an ExternalName that is an address',
    objects: `${client}
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: ExternalName, externalName: 192.0.2.1, ports: [{ port: 80 }] }
---`,
    expect: { rule: 'not-served', object: /^service\/external-name\/web$/, field: /^spec\.externalName$/ },
  },
  {
    name: 'twice-external',
    rows: '69, 77',
    says: 'an older Service has the external IP already',
    objects:
      app() +
      client +
      web('externalIPs: [172.30.0.200]').replace('name: web', 'name: elder') +
      web('externalIPs: [172.30.0.200]', undefined, '{ app: web }'),
    expect: { rule: 'duplicate-address', object: /^service\/twice-external\/web$/, field: /^spec\.externalIPs$/ },
  },
  {
    name: 'ingress-backend',
    rows: '12',
    says: 'an Ingress names a Service that is not there',
    objects: app() + client + web() + ingress('backend.example', { service: 'wbe' }),
    target: 'http://backend.example/',
    expect: {
      rule: 'no-route',
      object: /^ingress\/ingress-backend\/web$/,
      field: /backend\.service\.name$/,
      emitter: 'gateway',
    },
  },
  {
    name: 'ingress-class',
    rows: '13',
    says: 'an Ingress names a class that is not there',
    objects: app() + client + web() + ingress('class.example', { className: 'none' }),
    target: 'http://class.example/',
    expect: { rule: 'no-route', object: /^ingress\/ingress-class\/web$/, field: /^spec\.ingressClassName$/ },
    usual: true,
  },
  {
    name: 'ingress-host',
    rows: '15',
    says: 'no rule is for the host',
    objects: app() + client + web() + ingress('www.host.example'),
    target: 'http://host.example/',
    expect: { rule: 'no-route', object: /^request\/host\.example$/, field: /^host$/ },
  },
  {
    name: 'ingress-tls',
    rows: '39',
    says: 'the Secret of an Ingress’s certificate is not there',
    objects:
      app() + client + web() + ingress('tls.example', { tls: 'tls: [{ hosts: [tls.example], secretName: none }]' }),
    target: 'https://tls.example/',
    expect: {
      rule: 'gateway-certificate',
      object: /^ingress\/ingress-tls\/web$/,
      field: /^spec\.tls\[0\]\.secretName$/,
    },
  },
  {
    name: 'ingress-closes',
    rows: '21',
    says: 'the gateway says 502, because the application closes before it answers',
    objects:
      app({ command: run('require("net").createServer((s) => s.once("data", () => s.end())).listen(8080)') }) +
      client +
      web() +
      ingress('closes.example'),
    target: 'http://closes.example/',
    expect: {
      rule: 'closes-early',
      object: /^pod\/ingress-closes\/app$/,
      field: /^spec\.containers$/,
      emitter: 'gateway',
    },
    usual: true,
  },
  {
    name: 'ingress-fails',
    rows: '28',
    says: 'the application says 502 itself, and the gateway hands it on',
    objects:
      app({ command: run('require("http").createServer((q, s) => { s.statusCode = 502; s.end() }).listen(8080)') }) +
      client +
      web() +
      ingress('fails.example'),
    target: 'http://fails.example/',
    expect: {
      rule: 'backend-error',
      object: /^pod\/ingress-fails\/app$/,
      field: /^spec\.containers$/,
      emitter: 'backend',
    },
    usual: true,
  },
  {
    name: 'ingress-down',
    rows: '19',
    says: 'the gateway says 503, because nothing listens in the pod',
    objects: app({ command: '[sleep, infinity]' }) + client + web() + ingress('down.example'),
    target: 'http://down.example/',
    expect: {
      rule: 'nothing-listens',
      object: /^pod\/ingress-down\/app$/,
      field: /^spec\.containers$/,
      emitter: 'gateway',
    },
  },
  {
    name: 'not-forwarding',
    rows: '91',
    says: 'a node does not forward packets',
    objects: app({ node: 'node-2' }) + client + web(),
    inject: { node: 'node-2', on: 'sysctl -qw net.ipv4.ip_forward=0', off: 'sysctl -qw net.ipv4.ip_forward=1' },
    expect: { rule: 'not-forwarding', object: /^node\/node-2$/, field: /^net\.ipv4\.ip_forward$/ },
    usual: true,
  },
  {
    name: 'firewall',
    rows: '50',
    says: 'another program’s rules drop what is forwarded to the pod',
    objects: app({ node: 'node-2' }) + client + web(),
    inject: {
      node: 'node-2',
      on: 'nft "add table ip other; add chain ip other forward { type filter hook forward priority 5; }; add rule ip other forward tcp dport 8080 drop"',
      off: 'nft delete table ip other',
    },
    expect: { rule: 'foreign-firewall', object: /^node\/node-2$/, field: /^nftables$/ },
    usual: true,
  },
  {
    name: 'route-lost',
    rows: '87',
    says: 'the route to another node’s pods is gone',
    objects: app({ node: 'node-2' }) + client + web(),
    inject: {
      node: 'node-1',
      // Kept aside in a table that no rule asks.
      on: `r=$(ip -4 route | grep -m1 "via 172.30.0.12 " | cut -d" " -f1); ip route add $r via 172.30.0.12 table 99 && ip route del $r`,
      off: `r=$(ip -4 route show table 99 | cut -d" " -f1); ip route add $r via 172.30.0.12 proto 80 && ip route flush table 99`,
    },
    expect: { rule: 'kernel-differs', object: /^node\/node-1$/, field: /^routes$/ },
  },
  {
    name: 'agent-frozen',
    rows: '55',
    says: 'the agent of a node hangs, and its rules lack the Service',
    objects: app({ node: 'node-2' }) + client + web('clusterIP: 10.96.77.77'),
    inject: {
      node: 'node-1',
      on: `${signalAgent('STOP')}; nft delete element ip plumb-services service-class { 10.96.77.77 . tcp . 80 }`,
      off: signalAgent('CONT'),
    },
    expect: { rule: 'agent-silent', object: /^node\/node-1$/, field: /^agent$/ },
    usual: true,
  },
]
