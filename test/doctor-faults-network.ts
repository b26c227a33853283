// Faults of addresses, names, routes, ports, counters and routers.

import type { Fault } from './doctor-faults.ts'
import { serviceOf } from './doctor-objects.ts'
import { http, run } from './doctor-programs.ts'

const pool = (name: string, prefix: string): string => `apiVersion: plumb.network/v1alpha1
kind: IPAddressPool
metadata: { name: ${name} }
spec: { addresses: [${prefix}], autoAssign: false }`
const fromPool = (name: string) => ({
  spec: ['type: LoadBalancer'],
  annotations: `{ plumb.network/address-pool: ${name} }`,
})

/** A pod of a node that there is not, made when it is asked for: the controllers take it away after a while. */
const ghost = `printf '%s' '{ apiVersion: v1, kind: Pod, metadata: { name: ghost, labels: { app: ghost } }, spec: { nodeName: node-9, containers: [{ name: main, image: main }] } }' | kubectl apply -n $NAMESPACE -f -`

/** Turns the transmit checksum of a link on or off (SIOCETHTOOL, ETHTOOL_STXCSUM of linux/ethtool.h). */
const transmitChecksum = (on: 0 | 1): string =>
  `perl -MSocket -e 'socket(S, AF_INET, SOCK_DGRAM, 0); $v = pack("LL", 0x17, ${on}); $r = pack("a16P", $ARGV[0], $v); ioctl(S, 0x8946, $r) or die $!' $(ip -4 route get $APP | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')`

/** Takes all local ports towards the pod and holds them. */
const holder = `require("net"); const held = []; const open = () => { const s = require("net").connect(8080, process.argv[1]); s.on("error", () => {}); held.push(s) }; for (let i = 0; i < 40; i++) open()`

/** A router of BIRD's outside, which takes nodes for neighbours: its AS is 64512, as theirs must be 64513. */
const bird = `cat > /tmp/plumb-$NAMESPACE.conf <<EOF
router id 203.0.113.10;
protocol device { }
protocol bgp nodes { local as 64512; neighbor range 172.30.0.0/24 external; multihop; ipv4 { import all; export none; }; }
EOF
bird -c /tmp/plumb-$NAMESPACE.conf -s /tmp/plumb-$NAMESPACE.ctl -P /tmp/plumb-$NAMESPACE.pid`
const noBird = 'kill $(cat /tmp/plumb-$NAMESPACE.pid); rm -f /tmp/plumb-$NAMESPACE.*'
const peer = (name: string, spec: string): string =>
  `printf '%s' '{ apiVersion: plumb.network/v1alpha1, kind: BGPPeer, metadata: { name: ${name} }, spec: { myASN: 64513, peerAddress: 203.0.113.10, ebgpMultiHop: true, connectTime: 1s, ${spec} } }' | kubectl apply -f -`
const advertisement = (name: string): string => `apiVersion: plumb.network/v1alpha1
kind: BGPAdvertisement
metadata: { name: ${name} }
spec: { ipAddressPools: [${name}], peers: [${name}] }`
const untilSaid = (name: string, pattern: string): string =>
  `for i in $(seq 60); do kubectl get bgppeer ${name} -o jsonpath='{.status.sessions[*]}' | grep -q '${pattern}' && break; sleep 0.5; done`
const bgpFault = (
  name: string,
  prefix: string,
  says: string,
  spec: string,
  said: string,
  rest: Pick<Fault, 'object' | 'field'>,
  advertised = true,
): Fault => ({
  name,
  rows: '80',
  says,
  parts: { service: fromPool(name), more: [pool(name, prefix), ...(advertised ? [advertisement(name)] : [])] },
  rule: 'bgp-session',
  inject: [
    { node: 'outside', on: bird, off: noBird },
    { node: 'kubectl', on: `${peer(name, spec)} && ${untilSaid(name, said)}`, off: `kubectl delete bgppeer ${name}` },
  ],
  ...rest,
})

// biome-ignore format: a line for what is wrong, a line for who is to blame
export const networkFaults: readonly Fault[] = [
  { name: 'named-port-rollout', rows: '5', says: 'the port of that name is another number in some pods',
    parts: { app: { command: http('::'), ports: '[{ name: http, containerPort: 9090 }]' }, service: { port: '{ name: http, port: 80, targetPort: http }' },
      more: [`apiVersion: v1\nkind: Pod\nmetadata: { name: good, labels: { app: web } }\nspec:\n  containers: [{ name: app, image: app, command: ${http('::')}, ports: [{ name: http, containerPort: 8080 }] }]`] },
    rule: 'wrong-target-port', object: 'pod/app', field: 'containerPort' },
  { name: 'terminating', rows: '8', says: 'the only pod is on its way out and takes no more connections', hides: true,
    parts: { app: { command: run('const s = require("http").createServer((q, r) => r.end("ok")).listen(8080); process.on("SIGTERM", () => { s.close(); s.closeAllConnections() }); setInterval(() => {}, 1000)'), pod: 'terminationGracePeriodSeconds: 600' } },
    rule: 'pods-not-ready', object: 'pod/app', field: 'metadata.deletionTimestamp',
    inject: [{ node: 'kubectl', on: 'kubectl delete pod app -n $NAMESPACE --wait=false && sleep 1', off: 'kubectl delete pod app -n $NAMESPACE --force --grace-period=0' }] },
  { name: 'headless', rows: '9', says: 'a headless Service has no address, because its pods are not ready',
    parts: { app: { command: http('::'), more: 'readinessProbe: { tcpSocket: { port: 9 }, periodSeconds: 1 }' }, service: { spec: ['clusterIP: None'] } }, rule: 'pods-not-ready', object: 'pod/app', field: 'readinessProbe' },
  { name: 'dns-down', rows: '52', says: 'the cluster’s DNS has no pod', parts: {}, rule: 'dns', object: 'service/kube-system/kube-dns',
    inject: [{ node: 'kubectl', on: 'kubectl -n kube-system scale deployment coredns --replicas=0 && kubectl -n kube-system wait --for=delete pod -l k8s-app=kube-dns --timeout=30s',
      off: 'kubectl -n kube-system scale deployment coredns --replicas=2 && kubectl -n kube-system rollout status deployment coredns --timeout=60s' }] },
  { name: 'short-name', rows: '53', says: 'the client’s resolver does not complete short names', parts: { client: { pod: 'dnsPolicy: None\n  dnsConfig: { nameservers: [10.96.0.10] }' } },
    rule: 'client-name', object: 'pod/client', field: 'spec.dns' },
  { name: 'stale-name', rows: '54', says: 'a client keeps an address of DNS that no pod has any more', rule: 'stale-name', object: 'pod/client',
    parts: { app: { node: 'node-2' }, service: { spec: ['clusterIP: None'] }, client: { pod: 'nodeName: node-1' } },
    inject: [{ node: 'pod/client', on: `${JSON.stringify(process.execPath)} -e 'setInterval(() => require("net").connect(8080, process.argv[1]).on("error", () => {}), 300)' "\${APP%.*}.251" >/dev/null 2>&1 & echo $! > /tmp/plumb-$NAMESPACE.pid; sleep 1`,
      off: 'kill $(cat /tmp/plumb-$NAMESPACE.pid); rm -f /tmp/plumb-$NAMESPACE.pid' }] },
  { name: 'stale-connection', rows: '58, 59', says: 'connection tracking leads datagrams to a pod that is gone',
    parts: { app: { command: run('require("dgram").createSocket("udp6").bind(9000)') }, service: { port: '{ name: game, port: 9000, targetPort: 9000, protocol: UDP }', spec: ['clusterIP: 10.96.77.88'] } },
    rule: 'stale-connection', object: 'node/node-1', field: 'connections',
    inject: [{ node: 'node-1', on: 'conntrack -I -p udp -s 10.244.0.240 -d 10.96.77.88 --sport 5555 --dport 9000 -r 10.244.0.241 -q 10.244.0.240 --reply-port-src 9000 --reply-port-dst 5555 -t 300',
      off: 'conntrack -D -p udp --orig-dst 10.96.77.88' }] },
  { name: 'address-twice', rows: '89', says: 'two pods have one address', rule: 'duplicate-address', object: 'pod/app', field: 'status.podIPs', parts: {},
    inject: [{ node: 'kubectl', on: `${ghost} && kubectl patch pod ghost -n $NAMESPACE --subresource=status --type=merge -p '{"status":{"phase":"Running","podIP":"'$APP'","podIPs":[{"ip":"'$APP'"}]}}'`, off: 'kubectl delete pod ghost -n $NAMESPACE --force --grace-period=0 --ignore-not-found' }] },
  { name: 'ip-block', rows: '47', says: 'a NetworkPolicy allows the clients outside, and pods see the node’s address',
    parts: { app: { node: 'node-1' }, service: { spec: ['type: NodePort'] },
      policies: { allow: '{ podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ podSelector: {} }, { ipBlock: { cidr: 203.0.113.0/24 } }] }] }' } },
    rule: 'policy-denies', object: 'networkpolicy/allow' },
  { name: 'gateway-policy', rows: '48', says: 'a NetworkPolicy lets in the client, and not the gateway on another node', target: 'http://gateway-policy.example/',
    parts: { app: { node: 'node-2' }, ingress: { host: 'gateway-policy.example' }, policies: { allow: '{ podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ podSelector: {} }] }] }' } },
    rule: 'policy-denies', object: 'networkpolicy/allow' },
  { name: 'upstream', rows: '51', says: 'a firewall before the nodes drops what is sent to node ports', parts: { service: { spec: ['type: NodePort'] } }, rule: 'lost-before-node', object: 'node/node-1', field: 'way in',
    inject: [{ node: 'router', on: 'nft "add table ip other; add chain ip other f { type filter hook forward priority 0; }; add rule ip other f tcp dport 30000-32767 drop"', off: 'nft delete table ip other' }] },
  { name: 'overlap', rows: '90', says: 'a more specific route takes the pods’ addresses', parts: { app: { node: 'node-2' } }, rule: 'kernel-differs', object: 'node/node-1', field: 'routes',
    inject: [{ node: 'node-1', on: 'ip route add $APP/32 via 172.30.0.1 proto static', off: 'ip route del $APP/32' }] },
  { name: 'loop', rows: '93', says: 'two nodes send a pod’s packets to one another', parts: { app: { node: 'node-2' } }, rule: 'routing-loop', object: 'node/node-2', field: 'routes',
    inject: [{ node: 'node-2', on: 'ip rule add to $APP lookup 98 priority 1; ip route add $APP via 172.30.0.11 table 98', off: 'ip rule del priority 1; ip route flush table 98' }] },
  { name: 'checksum', rows: '86', says: 'segments come with a wrong checksum', parts: { app: { node: 'node-2', command: http('::') } }, rule: 'checksum', object: 'node/node-2', field: 'tx-checksumming',
    inject: [{ node: 'node-2', on: transmitChecksum(0), off: transmitChecksum(1) },
      { node: 'pod/app', on: 'nft "add table netdev other; add chain netdev other f { type filter hook ingress device eth0 priority 0; }; add rule netdev other f tcp dport 8080 @th,128,16 set 0x1234"', off: 'nft delete table netdev other' }] },
  { name: 'local-ports', rows: '70', says: 'a node has no local port left towards the pod', parts: { app: { node: 'node-1', command: run('const h = require("http").createServer((q, s) => s.end("ok")); h.headersTimeout = h.requestTimeout = 0; h.listen(8080)') } }, rule: 'ports-exhausted', object: 'node/node-1', field: 'ip_local_port_range',
    inject: [{ node: 'node-1', on: `sysctl -qw net.ipv4.ip_local_port_range="61000 61007"; ${JSON.stringify(process.execPath)} -e '${holder}' $APP >/dev/null 2>&1 & echo $! > /tmp/plumb-$NAMESPACE.pid; sleep 1.5`,
      off: 'kill $(cat /tmp/plumb-$NAMESPACE.pid); rm -f /tmp/plumb-$NAMESPACE.pid; sysctl -qw net.ipv4.ip_local_port_range="32768 60999"' }] },
  { name: 'source-ports', rows: '61', says: 'a node has no source port left for what it masquerades to the pod', parts: { app: { node: 'node-2' }, service: { spec: ['type: NodePort'] } }, rule: 'ports-exhausted', object: 'node/node-1', field: 'connections',
    inject: [{ node: 'node-1', on: `for p in $(seq 1024 65535); do echo "-I -p tcp -s 198.51.100.$((p % 250 + 1)) -d 172.30.0.11 --sport $p --dport 30000 -r $APP -q 172.30.0.11 --reply-port-src 8080 --reply-port-dst $p --state ESTABLISHED -u ASSURED -t 600"; done > /tmp/plumb-$NAMESPACE.ct; conntrack -R /tmp/plumb-$NAMESPACE.ct >/dev/null 2>&1; rm -f /tmp/plumb-$NAMESPACE.ct`, off: 'conntrack -D -p tcp --orig-dst 172.30.0.11 --orig-port-dst 30000 >/dev/null 2>&1; true' }] },
  { name: 'pool-full', rows: '74', says: 'the pool of external addresses has no free one', rule: 'external-address', object: 'ipaddresspool/pool-full', field: 'spec.addresses',
    parts: { service: fromPool('pool-full'), more: [pool('pool-full', '198.18.9.1/32'), serviceOf(fromPool('pool-full'), 'elder')] } },
  bgpFault('bgp-down', '198.18.1.0/28', 'the router does not listen for BGP where it is looked for', 'peerASN: 64512, peerPort: 1790', 'lastError', { object: 'bgppeer/bgp-down', field: 'spec.peerAddress' }),
  bgpFault('bgp-as', '198.18.2.0/28', 'the router has another AS number than the BGPPeer says', 'peerASN: 64999', 'Bad peer AS', { object: 'bgppeer/bgp-as', field: 'spec.peerASN' }),
  bgpFault('bgp-password', '198.18.3.0/28', 'the node has a password for the router, and the router none', 'peerASN: 64512, password: secret', 'password', { object: 'bgppeer/bgp-password', field: 'spec.password' }),
  bgpFault('bgp-export', '198.18.4.0/28', 'no BGPAdvertisement is for the pool', 'peerASN: 64512', 'Established', { object: 'ipaddresspool/bgp-export', field: 'bgpadvertisements' }, false),
]
