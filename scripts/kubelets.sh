#!/bin/sh
# A cluster of upstream's own programs on one machine: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and two kubelets with containerd, each node in
# namespaces of its own. What `plumb install` prints is tried on it. Needs root, Debian's containerd, runc and containernetworking-plugins, openssl, and cgroups of version 1 or 2.
#   scripts/kubelets.sh up BIN IMAGES     BIN holds the programs; IMAGES their images as *.tar (registry.k8s.io/pause:3.6 among them), imported on both nodes
#   scripts/kubelets.sh kubectl …         as cluster-admin, beside the API server
#   scripts/kubelets.sh exec PROGRAM …    there too: a machine of the nodes' network that is none of them
#   scripts/kubelets.sh down
set -eu
run=/run/plumb-kubelets
certs=$run/certs
control=plumb-kc
nodes='plumb-k1 plumb-k2'
api=172.31.0.2
pods=10.244.0.0/16,fd00:244::/56
services=10.96.0.0/16,fd00:96::/112
self=$(readlink -f "$0")

address() { echo "172.31.0.1${1#plumb-k}"; }

# certificate NAME SUBJECT [SAN], with a kubeconfig of the same name
certificate() {
  openssl req -newkey rsa:2048 -nodes -keyout "$certs/$1.key" -subj "$2" -out "$certs/$1.csr" 2>/dev/null
  { echo extendedKeyUsage=serverAuth,clientAuth; [ $# -lt 3 ] || echo "subjectAltName=$3"; } > "$certs/$1.ext"
  openssl x509 -req -in "$certs/$1.csr" -CA "$certs/ca.crt" -CAkey "$certs/ca.key" -CAcreateserial -days 30 -out "$certs/$1.crt" -extfile "$certs/$1.ext" 2>/dev/null
  cat > "$run/$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{ name: kubelets, cluster: { server: "https://$api:6443", certificate-authority: $certs/ca.crt } }]
users: [{ name: user, user: { client-certificate: $certs/$1.crt, client-key: $certs/$1.key } }]
contexts: [{ name: kubelets, context: { cluster: kubelets, user: user } }]
current-context: kubelets
CONFIG
}

beside_api() {
  name=$1
  shift
  ip netns exec $control setsid "$@" > "$run/$name.log" 2>&1 &
}

up() {
  bin=$(realpath "$1") images=$(realpath "$2")
  mkdir -p "$certs"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=kubelets -keyout "$certs/ca.key" -out "$certs/ca.crt" 2>/dev/null
  openssl genrsa -out "$certs/accounts.key" 2048 2>/dev/null
  certificate apiserver /CN=kube-apiserver "IP:$api,IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  certificate admin /O=system:masters/CN=admin
  certificate controller-manager /CN=system:kube-controller-manager
  certificate scheduler /CN=system:kube-scheduler
  certificate to-kubelets /O=system:masters/CN=kube-apiserver-kubelet-client
  ip netns add $control
  ip -n $control link set lo up
  ip -n $control link add br0 type bridge
  ip -n $control addr add "$api/24" dev br0
  ip -n $control addr add fd00:31::2/64 dev br0 nodad
  ip -n $control link set br0 up
  for node in $nodes; do
    certificate "$node" "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$(address "$node")"
    ip netns add "$node"
    ip -n "$node" link set lo up
    ip -n $control link add "$node" type veth peer name eth0 netns "$node"
    ip -n $control link set "$node" master br0 up
    ip -n "$node" addr add "$(address "$node")/24" dev eth0
    ip -n "$node" addr add "fd00:31::1${node#plumb-k}/64" dev eth0 nodad
    ip -n "$node" link set eth0 up
    ip -n "$node" route add default via $api
    ip -n "$node" route add default via fd00:31::2
  done
  beside_api etcd "$bin/etcd" --data-dir $run/etcd --unsafe-no-fsync
  beside_api apiserver "$bin/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range $services --advertise-address $api --allow-privileged \
    --client-ca-file $certs/ca.crt --tls-cert-file $certs/apiserver.crt --tls-private-key-file $certs/apiserver.key --authorization-mode Node,RBAC \
    --enable-admission-plugins NodeRestriction --service-account-issuer https://kubernetes.default.svc --service-account-key-file $certs/accounts.key \
    --service-account-signing-key-file $certs/accounts.key --kubelet-client-certificate $certs/to-kubelets.crt --kubelet-client-key $certs/to-kubelets.key \
    --kubelet-preferred-address-types InternalIP
  beside_api controller-manager "$bin/kube-controller-manager" --kubeconfig $run/controller-manager.kubeconfig --use-service-account-credentials --allocate-node-cidrs \
    --cluster-cidr $pods --service-cluster-ip-range $services --service-account-private-key-file $certs/accounts.key --root-ca-file $certs/ca.crt
  beside_api scheduler "$bin/kube-scheduler" --kubeconfig $run/scheduler.kubeconfig
  for node in $nodes; do
    ip netns exec "$node" unshare --mount --pid --uts --ipc --fork --mount-proc setsid "$self" node "$node" "$bin" "$images" > "$run/$node.log" 2>&1 &
  done
  # The API server asks pods itself for `proxy`, from a machine on which no agent runs.
  for node in $nodes; do
    until prefixes=$("$self" kubectl get node "$node" -o 'jsonpath={.spec.podCIDRs[*]}' 2>/dev/null) && [ -n "$prefixes" ]; do sleep 1; done
    for prefix in $prefixes; do
      case $prefix in *:*) ip -n $control route add "$prefix" via "fd00:31::1${node#plumb-k}" ;; *) ip -n $control route add "$prefix" via "$(address "$node")" ;; esac
    done
  done
}

# Runs inside the namespaces of a node.
node() {
  node=$1 bin=$2 images=$3 own=$run/$1
  hostname "$node"
  mount --make-rprivate /
  mkdir -p "$own/run"
  # What is the node's own in /run, with this script's files in sight; the names of namespaces that `ip` mounted would hide those of pods.
  umount -l -R /run/netns
  for pair in /var/lib/containerd:state /var/lib/kubelet:kubelet /etc/cni:cni /opt/cni:plugins /var/log:log /run/containerd:run/containerd /run/plumb:run/plumb /run/netns:run/netns; do
    mkdir -p "$own/${pair#*:}" "${pair%%:*}"
    mount --bind "$own/${pair#*:}" "${pair%%:*}"
  done
  mount --make-rshared /
  mkdir -p /etc/cni/net.d /opt/cni/bin
  cp /usr/lib/cni/loopback /opt/cni/bin/
  # `ip netns exec` gave this a view of /sys without cgroups.
  if grep -q '^memory' /proc/cgroups && [ "$(awk '$1 == "memory" { print $2 }' /proc/cgroups)" != 0 ]; then
    mount -t tmpfs tmpfs /sys/fs/cgroup
    for one in cpu cpuacct cpuset memory devices freezer blkio pids; do
      mkdir "/sys/fs/cgroup/$one"
      mount -t cgroup -o $one $one "/sys/fs/cgroup/$one"
    done
  else
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
  fi
  printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "registry.k8s.io/pause:3.6"\n  disable_apparmor = true\n  restrict_oom_score_adj = true\n' > "$own/containerd.toml"
  containerd -c "$own/containerd.toml" > "$own/containerd.log" 2>&1 &
  until ctr version > /dev/null 2>&1; do sleep 0.2; done
  for image in "$images"/*.tar; do ctr -n k8s.io images import "$image"; done
  echo "nameserver $api" > "$own/resolv.conf"
  cat > "$own/kubelet.yaml" <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failSwapOn: false
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
authentication: { anonymous: { enabled: false }, x509: { clientCAFile: $certs/ca.crt } }
tlsCertFile: $certs/$node.crt
tlsPrivateKeyFile: $certs/$node.key
clusterDNS: ["10.96.0.10"]
clusterDomain: cluster.local
resolvConf: $own/resolv.conf
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
imageGCHighThresholdPercent: 100
evictionHard: { memory.available: 50Mi }
CONFIG
  exec "$bin/kubelet" --config "$own/kubelet.yaml" --kubeconfig "$run/$node.kubeconfig" --hostname-override "$node" --node-ip "$(address "$node"),fd00:31::1${node#plumb-k}"
}

down() {
  for namespace in $nodes $control; do
    for process in $(ip netns pids "$namespace" 2>/dev/null); do kill -9 "$process" 2>/dev/null || true; done
    ip netns del "$namespace" 2>/dev/null || true
  done
  rm -rf $run
}

command=${1:?up, kubectl, exec or down}
shift
case $command in
  up | node | down) "$command" "$@" ;;
  kubectl) exec ip netns exec $control kubectl --kubeconfig $run/admin.kubeconfig "$@" ;;
  exec) exec ip netns exec $control "$@" ;;
  *) echo "scripts/kubelets.sh: no command $command: up, kubectl, exec or down" >&2; exit 64 ;;
esac
