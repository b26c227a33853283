#!/bin/sh
# Runs the official conformance suite of the network policy API against a lab. Needs Go (1.26), whose module mirror has the suite, and root.
# The image of the suite is agnhost, built from its sources. What it says is in $out: run.log, report.yaml.
# Usage: scripts/conformance-policy.sh [v0.2.0 | v0.1.7] [more flags of the suite]. v0.2.0 is ClusterNetworkPolicy (v1alpha2), v0.1.7 AdminNetworkPolicy and
# BaselineAdminNetworkPolicy (v1alpha1).
set -eu
cd "$(dirname "$0")/.."
version=v0.2.0
case ${1:-} in v[0-9]*) version=$1 && shift ;; esac
name=${LAB:-conformance}
out=${OUT:-/tmp/plumb-conformance-policy}
profiles=ClusterNetworkPolicy
[ "$version" = v0.2.0 ] || profiles=AdminNetworkPolicy,BaselineAdminNetworkPolicy
mkdir -p "$out"
trap './plumb down --name "$name"; rm -f /agnhost /agnhost.bin /localhost.crt /localhost.key' EXIT
sh scripts/agnhost.sh "$out"

export GOWORK=off
if [ ! -x "$out/suite-$version" ]; then
  folder=$(go mod download -json "sigs.k8s.io/network-policy-api@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  mkdir -p "$out/$version"
  cp -r "$folder/." "$out/$version/"
  chmod -R u+w "$out/$version"
  (cd "$out/$version/conformance" && go test -c -o "$out/suite-$version" .)
fi

# Objects of the API before v1alpha2 have no definitions in a lab.
set -- "$@" -all-features
definitions=
[ "$version" = v0.2.0 ] || definitions="-f $(echo "$out/$version"/config/crd/experimental/policy.*_adminnetworkpolicies.yaml) -f $(echo "$out/$version"/config/crd/experimental/policy.*_baseline*.yaml)"
# shellcheck disable=SC2086
./plumb up --name "$name" --nodes 2 $definitions --image "registry.k8s.io/e2e-test-images/agnhost*=/agnhost"

# On a node, where the API server has the address of the rack.
sed 's#server: .*#server: https://172.30.0.2:6443#' "$(./plumb kubeconfig --name "$name")" > "$out/kubeconfig"
status=0
./plumb exec --name "$name" --node node-1 -- env KUBECONFIG="$out/kubeconfig" "$out/suite-$version" -test.v -test.timeout 60m -test.run '^TestConformanceProfiles$' \
  -conformance-profiles "$profiles" -report-output "$out/report.yaml" -organization plumb -project plumb -url https://plumb.network -version v0.1.0 \
  -contact none -additional-info none "$@" > "$out/run.log" 2>&1 || status=$?
for result in PASS FAIL SKIP; do
  printf '%s %s\n' "$result" "$(grep -cE "^ *--- $result: TestConformanceProfiles/[A-Za-z0-9]+ " "$out/run.log")"
done
grep -E '^ *--- FAIL: ' "$out/run.log" || true
exit "$status"
