#!/bin/sh
# Runs Kubernetes' own end-to-end tests of the network (sig-network) against a lab. Needs Go (1.26), whose module mirror has them, root, and the Debian packages
# netcat-openbsd and dnsutils. The image of the tests, agnhost, is built from its sources; it is put at /agnhost of this machine, where its containers expect it.
# What they say is in $out/run.log. Usage: scripts/conformance-kubernetes.sh [FOCUS [SKIP]], both regular expressions on the tests' names.
set -eu
cd "$(dirname "$0")/.."
version=1.36.3
coredns=v1.12.2
name=${LAB:-conformance}
out=${OUT:-/tmp/plumb-conformance-kubernetes}
focus=${1:-'\[sig-network\].*\[Conformance\]'}
skip=${2:-none}
export GOWORK=off GOFLAGS=-mod=mod
mkdir -p "$out/suite"

# The tests are a package of Kubernetes' module, whose parts are modules of their own under the same number.
if [ ! -x "$out/e2e.test" ]; then
  source=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  parts=$(sed -n 's#^\t*\(k8s.io/[a-z-]*\) => ./staging.*#\1#p; s#^replace \(k8s.io/[a-z-]*\) => ./staging.*#\1#p' "$source/go.mod" | sort -u)
  [ -n "$parts" ] || parts=$(sed -n 's#^\t\(k8s.io/[a-z-]*\) v0.0.0$#\1#p' "$source/go.mod" | sort -u)
  {
    printf 'module suite\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v%s\n' "$version"
    sed -n '/^require (/,/^)/p' "$source/go.mod"
    for part in $parts; do printf 'replace %s => %s v0.%s\n' "$part" "$part" "${version#1.}"; done
  } > "$out/suite/go.mod"
  cp "$source/go.sum" "$out/suite/go.sum"
  chmod u+w "$out/suite/go.sum"
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
  (cd "$out/suite" && CGO_ENABLED=0 go build -o "$out/agnhost" k8s.io/kubernetes/test/images/agnhost && go test -c -o "$out/e2e.test" .)
  cp "$source/test/images/agnhost/porter/localhost.crt" "$source/test/images/agnhost/porter/localhost.key" "$out/"
fi
[ -x "$out/coredns" ] || GOBIN="$out" go install "github.com/coredns/coredns@$coredns"
# The image's command unless a container has one is `pause`.
cp "$out/localhost.crt" "$out/localhost.key" /
cp "$out/agnhost" /agnhost.bin
printf '#!/bin/sh\n[ $# -gt 0 ] || set -- pause\nexec /agnhost.bin "$@"\n' > /agnhost
chmod +x /agnhost

cat > "$out/pool.yaml" <<'POOL'
apiVersion: plumb.network/v1alpha1
kind: IPAddressPool
metadata: { name: balancers }
spec: { addresses: ["172.30.0.100-172.30.0.199"] }
POOL
trap './plumb down --name "$name"; rm -f /agnhost /agnhost.bin /localhost.crt /localhost.key' EXIT
./plumb up --name "$name" --nodes 2 -f "$out/pool.yaml" \
  --image "registry.k8s.io/e2e-test-images/agnhost*=/agnhost" \
  --image "registry.k8s.io/coredns/coredns*=$out/coredns"

# On a node, where the API server has the address of the rack.
sed 's#server: .*#server: https://172.30.0.2:6443#' "$(./plumb kubeconfig --name "$name")" > "$out/kubeconfig"
status=0
./plumb exec --name "$name" --node node-1 -- "$out/e2e.test" -kubeconfig "$out/kubeconfig" -provider skeleton -num-nodes 2 \
  -ginkgo.focus "$focus" -ginkgo.skip "$skip" -ginkgo.v -ginkgo.no-color -ginkgo.timeout 3h > "$out/run.log" 2>&1 || status=$?
sed -n '/^Summarizing/,$p; /^Ran [0-9]/,$p' "$out/run.log" | awk '!seen[$0]++'
exit "$status"
