#!/bin/sh
# Runs Kubernetes' own end-to-end tests of the network (sig-network) against a lab. Needs Go (1.26), whose module mirror has them, root, and the Debian packages
# netcat-openbsd and dnsutils. Images of the tests are built from their sources; agnhost and coredns are put at / of this machine, where their containers expect them.
# What they say is in $out/run.log. Usage:
#   scripts/conformance-kubernetes.sh                   those of Conformance
#   scripts/conformance-kubernetes.sh --wide            all but Conformance's and those in conformance-kubernetes.skip, on six nodes of three zones; takes two hours
#   scripts/conformance-kubernetes.sh FOCUS [SKIP]      regular expressions on the tests' names
set -eu
cd "$(dirname "$0")/.."
coredns=v1.12.2
name=${LAB:-conformance}
out=${OUT:-/tmp/plumb-conformance-kubernetes}
focus=${1:-'\[sig-network\].*\[Conformance\]'}
skip=${2:-none}
nodes=${NODES:-2}
if [ "$focus" = --wide ]; then
  focus='\[sig-network\]'
  skip="\[Conformance\]|$(grep -v '^#' scripts/conformance-kubernetes.skip | paste -sd'|')"
  nodes=6
fi
export GOWORK=off GOFLAGS=-mod=mod
mkdir -p "$out/suite"

trap './plumb down --name "$name"; rm -f /agnhost /agnhost.bin /localhost.crt /localhost.key /coredns' EXIT
sh scripts/agnhost.sh "$out"
if [ ! -x "$out/e2e.test" ]; then
  cat > "$out/suite/suite_test.go" <<'SUITE'
package suite

import (
	"flag"
	"os"
	"testing"

	conformance "k8s.io/kubernetes/test/conformance/testdata"
	"k8s.io/kubernetes/test/e2e"
	_ "k8s.io/kubernetes/test/e2e/common/network"
	_ "k8s.io/kubernetes/test/e2e/feature"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/kubernetes/test/e2e/framework/config"
	_ "k8s.io/kubernetes/test/e2e/framework/debug/init"
	_ "k8s.io/kubernetes/test/e2e/framework/metrics/init"
	_ "k8s.io/kubernetes/test/e2e/framework/node/init"
	"k8s.io/kubernetes/test/e2e/framework/testfiles"
	_ "k8s.io/kubernetes/test/e2e/network"
	manifests "k8s.io/kubernetes/test/e2e/testing-manifests"
	"k8s.io/kubernetes/test/fixtures"
)

func TestMain(m *testing.M) {
	config.CopyFlags(config.Flags, flag.CommandLine)
	framework.RegisterCommonFlags(flag.CommandLine)
	framework.RegisterClusterFlags(flag.CommandLine)
	flag.Parse()
	testfiles.AddFileSource(manifests.GetE2ETestingManifestsFS())
	testfiles.AddFileSource(fixtures.GetTestFixturesFS())
	testfiles.AddFileSource(conformance.GetConformanceTestdataFS())
	framework.AfterReadingAllFlags(&framework.TestContext)
	os.Exit(m.Run())
}

func TestE2E(t *testing.T) { e2e.RunE2ETests(t) }
SUITE
  (cd "$out/suite" && go test -c -o "$out/e2e.test" . &&
    CGO_ENABLED=0 go build -o "$out/boom-server" k8s.io/kubernetes/test/images/regression-issue-74839)
fi
[ -x "$out/coredns" ] || GOBIN="$out" go install "github.com/coredns/coredns@$coredns"
cp "$out/coredns" /coredns.new
mv /coredns.new /coredns

cat > "$out/pool.yaml" <<'POOL'
apiVersion: plumb.network/v1alpha1
kind: IPAddressPool
metadata: { name: balancers }
spec: { addresses: ["172.30.0.100-172.30.0.199"] }
POOL
./plumb up --name "$name" --nodes "$nodes" -f "$out/pool.yaml" \
  --image "registry.k8s.io/e2e-test-images/agnhost*=/agnhost" \
  --image "registry.k8s.io/e2e-test-images/regression-issue-74839*=$out/boom-server" \
  --image "registry.k8s.io/coredns/coredns*=$out/coredns"

# Beyond the router, as somebody outside of the cluster; there the API server has the address of the rack.
sed 's#server: .*#server: https://172.30.0.2:6443#' "$(./plumb kubeconfig --name "$name")" > "$out/kubeconfig"
status=0
./plumb exec --name "$name" --outside -- "$out/e2e.test" -kubeconfig "$out/kubeconfig" -provider skeleton -num-nodes "$nodes" \
  -ginkgo.focus "$focus" -ginkgo.skip "$skip" -ginkgo.v -ginkgo.no-color -ginkgo.timeout 3h > "$out/run.log" 2>&1 || status=$?
sed -n '/^Summarizing/,$p; /^Ran [0-9]/,$p' "$out/run.log" | awk '!seen[$0]++'
exit "$status"
