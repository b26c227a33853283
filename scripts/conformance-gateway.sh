#!/bin/sh
# Runs the official conformance suite of the Gateway API against a lab. Needs Go (1.26), whose module mirror has the suite, and root.
# The images of the suite are programs built from its own sources. What it says is in $out: run.log, report.yaml.
# Usage: scripts/conformance-gateway.sh [more flags of the suite, e.g. -run-test HTTPRouteWeight]
set -eu
cd "$(dirname "$0")/.."
version=v1.6.3
coredns=v1.12.2
name=${LAB:-conformance}
out=${OUT:-/tmp/plumb-conformance}
profiles=${PROFILES:-GATEWAY-HTTP,GATEWAY-GRPC,GATEWAY-TLS,GATEWAY-TCP,GATEWAY-UDP}
export GOWORK=off
mkdir -p "$out/bin"

# The suite is a module that names its parent by a relative path: both are put side by side.
if [ ! -x "$out/bin/suite" ]; then
  for module in gateway-api gateway-api/conformance; do
    folder=$(go mod download -json "sigs.k8s.io/$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    mkdir -p "$out/$module"
    cp -r "$folder/." "$out/$module/"
    chmod -R u+w "$out/$module"
  done
  (cd "$out/gateway-api/conformance" && go build -o "$out/bin/echo-basic" ./echo-basic && go test -c -o "$out/bin/suite" .)
fi
[ -x "$out/bin/coredns" ] || GOBIN="$out/bin" go install "github.com/coredns/coredns@$coredns"

cat > "$out/pool.yaml" <<'POOL'
apiVersion: plumb.network/v1alpha1
kind: IPAddressPool
metadata: { name: gateways }
spec: { addresses: ["172.30.0.100-172.30.0.199"] }
POOL
trap './plumb down --name "$name"' EXIT
./plumb up --name "$name" --nodes 2 -f "$out/pool.yaml" \
  --image "registry.k8s.io/gateway-api/echo-basic*=$out/bin/echo-basic" \
  --image "registry.k8s.io/coredns/coredns*=$out/bin/coredns"

# On a node, where the API server has the address of the rack and those of Gateways are reached.
config=$out/kubeconfig
sed 's#server: .*#server: https://172.30.0.2:6443#' "$(./plumb kubeconfig --name "$name")" > "$config"
status=0
./plumb exec --name "$name" --node node-1 -- "$out/bin/suite" -test.v -test.timeout 60m -test.run '^TestConformance$' \
  -kubeconfig "$config" -gateway-class plumb -conformance-profiles "$profiles" -report-output "$out/report.yaml" \
  -organization plumb -project plumb -url https://plumb.network -version v0.1.0 -contact none -mode default \
  -usable-address 172.30.0.199 -unusable-address 192.0.2.99 "$@" > "$out/run.log" 2>&1 || status=$?
for result in PASS FAIL SKIP; do
  printf '%s %s\n' "$result" "$(grep -cE "^    --- $result: TestConformance/[A-Za-z0-9]+ " "$out/run.log")"
done
grep -E '^    --- FAIL: ' "$out/run.log" || true
exit "$status"
