// What goes wrong on a node of kube-proxy's, and what the doctor must name first when it runs on that node.
import type { KubeProxyCluster } from './kube-proxy-cluster.ts'

/** One fault on `node-1`, and the way back. */
export interface NodeFault {
  readonly says: string
  readonly on: string
  readonly off: string
  readonly target: string
  /** Part of every test run. */
  readonly usual?: boolean
  /** `node/node-1` is the object unless told. */
  readonly expect: { readonly rule: string; readonly value: RegExp; readonly object?: string }
}

/** Whatever kube-proxy's mode. */
const anyMode: readonly NodeFault[] = [
  {
    says: 'another program’s rule of nftables drops what is forwarded to the pods',
    on: 'nft "add table ip firewall; add chain ip firewall f { type filter hook forward priority 5; }; add rule ip firewall f ip daddr 10.244.0.0/16 tcp dport 8080 counter drop"',
    off: 'nft delete table ip firewall',
    target: 'svc/shop/web',
    usual: true,
    expect: { rule: 'foreign-rule', value: /^table ip firewall chain f handle/ },
  },
  {
    says: 'another program’s policy drops what is forwarded to the pods',
    on: 'nft "add table inet guard; add chain inet guard f { type filter hook forward priority 10; policy drop; }; add rule inet guard f ct state established,related accept; add rule inet guard f ip daddr != 10.244.0.0/16 accept"',
    off: 'nft delete table inet guard',
    target: 'svc/shop/web',
    expect: { rule: 'foreign-rule', value: /^policy drop$/ },
  },
  {
    says: 'the node does not forward packets',
    on: 'echo 0 > /proc/sys/net/ipv4/ip_forward',
    off: 'echo 1 > /proc/sys/net/ipv4/ip_forward',
    target: 'svc/shop/web',
    expect: { rule: 'not-forwarding', value: /^0$/ },
  },
  {
    says: 'the route to the other node’s pods is gone',
    on: 'ip route replace unreachable 10.244.2.0/24',
    off: 'ip route replace 10.244.2.0/24 via 172.31.0.12 dev eth0',
    target: 'svc/shop/local',
    usual: true,
    expect: { rule: 'kernel-differs', value: /^10\.244\.2\.12$/ },
  },
  {
    says: 'strict rp_filter, and answers come in by another link than the route says',
    on: 'ip route replace 10.244.2.0/24 via 172.31.1.12 dev eth1; echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter',
    off: 'ip route replace 10.244.2.0/24 via 172.31.0.12 dev eth0; echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter',
    target: 'svc/shop/local',
    usual: true,
    expect: { rule: 'reverse-path', value: /^1$/ },
  },
  {
    says: 'a datagram’s entry in connection tracking leads to a pod that is gone',
    on: 'conntrack -I -p udp -s 10.244.1.10 -d 10.96.0.53 --sport 5555 --dport 53 -r 10.244.1.99 -q 10.244.1.10 --reply-port-src 5353 --reply-port-dst 5555 -t 300',
    off: 'conntrack -D -p udp --orig-dst 10.96.0.53',
    target: 'svc/shop/dns',
    usual: true,
    expect: { rule: 'stale-connection', value: /^10\.244\.1\.99:5353$/ },
  },
]

const nftables: readonly NodeFault[] = [
  {
    says: 'the masquerade of strangers is gone, so answers of other nodes’ pods go past this node',
    on: 'nft flush chain ip kube-proxy masquerading',
    off: 'nft "add rule ip kube-proxy masquerading mark and 0x4000 == 0 return; add rule ip kube-proxy masquerading mark set mark xor 0x4000; add rule ip kube-proxy masquerading masquerade fully-random"',
    target: 'svc/shop/web',
    usual: true,
    expect: { rule: 'masquerade', value: /^172\.31\.0\.11:30080$/ },
  },
  {
    says: 'a pod that is led to itself is not masqueraded, so it answers itself past the node',
    on: `c=$(nft list table ip kube-proxy | sed -n 's/.*chain \\(endpoint-[^ ]*-shop\\/web\\/tcp\\/http__10.244.1.11\\/8080\\) .*/\\1/p'); h=$(nft -a list chain ip kube-proxy $c | sed -n 's/.*jump mark-for-masquerade # handle //p'); nft delete rule ip kube-proxy $c handle $h; echo $c > $KUBECONFIG.saved`,
    off: 'nft insert rule ip kube-proxy $(cat $KUBECONFIG.saved) ip saddr 10.244.1.11 jump mark-for-masquerade',
    target: 'svc/shop/web',
    usual: true,
    expect: { rule: 'hairpin', value: /^/, object: 'pod/shop/web-a' },
  },
  {
    says: 'kube-proxy’s table was deleted',
    on: 'nft list table ip kube-proxy > $KUBECONFIG.saved; nft delete table ip kube-proxy',
    off: 'nft -f $KUBECONFIG.saved',
    target: 'svc/shop/web',
    usual: true,
    expect: { rule: 'proxy-behind', value: /^no rules$/ },
  },
]

const iptables: readonly NodeFault[] = [
  {
    says: 'another program’s rule of iptables drops what is forwarded to the pods',
    on: 'iptables -I FORWARD -d 10.244.0.0/16 -p tcp -m tcp --dport 8080 -j DROP',
    off: 'iptables -D FORWARD -d 10.244.0.0/16 -p tcp -m tcp --dport 8080 -j DROP',
    target: 'svc/shop/web',
    expect: { rule: 'foreign-rule', value: /^-A FORWARD -d 10\.244\.0\.0\/16 -p tcp -m tcp --dport 8080 -j DROP$/ },
  },
  {
    says: 'the policy of FORWARD is DROP, as some container engines set it',
    on: 'iptables -P FORWARD DROP',
    off: 'iptables -P FORWARD ACCEPT',
    target: 'svc/shop/web',
    expect: { rule: 'foreign-rule', value: /^policy drop$/ },
  },
  {
    says: 'the masquerade of strangers is gone, so answers of other nodes’ pods go past this node',
    on: 'iptables -t nat -F KUBE-POSTROUTING',
    off: 'iptables -t nat -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN; iptables -t nat -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000; iptables -t nat -A KUBE-POSTROUTING -j MASQUERADE --random-fully',
    target: 'svc/shop/web',
    expect: { rule: 'masquerade', value: /^172\.31\.0\.11:30080$/ },
  },
  {
    says: 'table nat was flushed',
    on: 'iptables-save -t nat > $KUBECONFIG.saved; iptables -t nat -F',
    off: 'iptables-restore -T nat < $KUBECONFIG.saved',
    target: 'svc/shop/web',
    expect: { rule: 'proxy-behind', value: /^no rules$/ },
  },
]

export const faults = { nftables: [...anyMode, ...nftables], iptables: [...anyMode, ...iptables] } as const

/** Changes Services, as people do. */
export function patchService(cluster: KubeProxyCluster, name: string, spec: object): Promise<unknown> {
  const path = `/api/v1/namespaces/shop/services/${name}`
  return cluster.client.request('PATCH', path, { spec }, { 'content-type': 'application/merge-patch+json' })
}
