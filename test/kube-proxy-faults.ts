// What goes wrong on a node of kube-proxy's, and what the doctor must name first when it runs on that node.
import type { KubeProxyCluster } from './kube-proxy-cluster.ts'

/** One fault and the way back. */
export interface NodeFault {
  readonly says: string
  readonly on: (cluster: KubeProxyCluster) => Promise<unknown>
  readonly off: (cluster: KubeProxyCluster) => Promise<unknown>
  /** Asked on node-1 unless told. */
  readonly target: string
  readonly expect: { readonly rule: string; readonly object: RegExp; readonly value: RegExp }
}

const sh = (command: string) => (cluster: KubeProxyCluster) => cluster.must('node-1', 'sh', ['-c', command])
const patch = (name: string, spec: object) => (cluster: KubeProxyCluster) =>
  cluster.client.request(
    'PATCH',
    `/api/v1/namespaces/shop/services/${name}`,
    { spec },
    { 'content-type': 'application/merge-patch+json' },
  )

const ports = (targetPort: number) => ({
  ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort, nodePort: 30080 }],
})

/** Faults that need no kube-proxy that answers to changes. */
export const faults: readonly NodeFault[] = [
  {
    says: 'another program’s rule drops what is forwarded to the pods',
    on: sh(
      'nft "add table ip firewall; add chain ip firewall f { type filter hook forward priority 5; }; add rule ip firewall f ip daddr 10.244.0.0/16 tcp dport 8080 counter drop"',
    ),
    off: sh('nft delete table ip firewall'),
    target: 'svc/shop/web',
    expect: { rule: 'foreign-rule', object: /^node\/node-1$/, value: /^table ip firewall chain f handle/ },
  },
  {
    says: 'another program’s rule drops what comes in for pods by its policy',
    on: sh(
      'nft "add table inet guard; add chain inet guard f { type filter hook forward priority 10; policy drop; }; add rule inet guard f ct state established,related accept; add rule inet guard f ip daddr != 10.244.0.0/16 accept"',
    ),
    off: sh('nft delete table inet guard'),
    target: 'svc/shop/web',
    expect: { rule: 'foreign-rule', object: /^node\/node-1$/, value: /^policy drop$/ },
  },
  {
    says: 'the node does not forward packets',
    on: sh('echo 0 > /proc/sys/net/ipv4/ip_forward'),
    off: sh('echo 1 > /proc/sys/net/ipv4/ip_forward'),
    target: 'svc/shop/web',
    expect: { rule: 'not-forwarding', object: /^node\/node-1$/, value: /^0$/ },
  },
  {
    says: 'the route to the other node’s pods is gone',
    on: sh('ip route replace unreachable 10.244.2.0/24'),
    off: sh('ip route replace 10.244.2.0/24 via 172.31.0.12 dev eth0'),
    target: 'svc/shop/local',
    expect: { rule: 'kernel-differs', object: /^node\/node-1$/, value: /^10\.244\.2\.12$/ },
  },
  {
    says: 'strict rp_filter, and answers come in by another link than the route says',
    on: sh(
      'ip route replace 10.244.2.0/24 via 172.31.1.12 dev eth1; echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter',
    ),
    off: sh(
      'ip route replace 10.244.2.0/24 via 172.31.0.12 dev eth0; echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter',
    ),
    target: 'svc/shop/local',
    expect: { rule: 'reverse-path', object: /^node\/node-1$/, value: /^1$/ },
  },
  {
    says: 'a datagram’s entry in connection tracking leads to a pod that is gone',
    on: sh(
      'conntrack -I -p udp -s 10.244.1.10 -d 10.96.0.53 --sport 5555 --dport 53 -r 10.244.1.99 -q 10.244.1.10 --reply-port-src 5353 --reply-port-dst 5555 -t 300',
    ),
    off: sh('conntrack -D -p udp --orig-dst 10.96.0.53'),
    target: 'svc/shop/dns',
    expect: { rule: 'stale-connection', object: /^node\/node-1$/, value: /^10\.244\.1\.99:5353$/ },
  },
  {
    says: 'the masquerade of strangers is gone, so answers of other nodes’ pods go past this node',
    on: sh('nft flush chain ip kube-proxy masquerading'),
    off: sh(
      'nft "add rule ip kube-proxy masquerading mark and 0x4000 == 0 return; add rule ip kube-proxy masquerading mark set mark xor 0x4000; add rule ip kube-proxy masquerading masquerade fully-random"',
    ),
    target: 'svc/shop/web',
    expect: { rule: 'masquerade', object: /^node\/node-1$/, value: /./ },
  },
  {
    says: 'kube-proxy’s tables were flushed',
    on: sh('nft list table ip kube-proxy > $KUBECONFIG.saved; nft delete table ip kube-proxy'),
    off: sh('nft -f $KUBECONFIG.saved'),
    target: 'svc/shop/web',
    expect: { rule: 'proxy-behind', object: /^node\/node-1$/, value: /^no rules$/ },
  },
]

/** Faults of objects: kube-proxy follows, and it is not to blame. Where none runs, its rules stay as they were. */
export const objectFaults: readonly NodeFault[] = [
  {
    says: 'targetPort is a number where nothing listens',
    on: patch('web', ports(8081)),
    off: patch('web', ports(8080)),
    target: 'svc/shop/web',
    expect: { rule: 'wrong-target-port', object: /^service\/shop\/web$/, value: /8081/ },
  },
  {
    says: 'the selector matches no pod',
    on: patch('sticky', { selector: { app: 'wbe' } }),
    off: patch('sticky', { selector: { app: 'web' } }),
    target: 'svc/shop/sticky',
    expect: { rule: 'selector-matches-nothing', object: /^service\/shop\/sticky$/, value: /wbe/ },
  },
]
