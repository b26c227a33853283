#!/bin/sh
# Builds agnhost, the image of Kubernetes' end-to-end tests, from its sources, and puts it at /agnhost of this machine, where its containers expect it. Usage:
# scripts/agnhost.sh OUT. OUT/suite is then a module with Kubernetes' own packages, OUT/version its number. Its SCTP is that of scripts/sctp: not every kernel has sockets of SCTP.
set -eu
out=$1
here=$(cd "$(dirname "$0")" && pwd)
version=1.36.3
export GOWORK=off GOFLAGS=-mod=mod
mkdir -p "$out/suite"

# The tests are a package of Kubernetes' module, whose parts are modules of their own under the same number.
if [ ! -x "$out/agnhost" ]; then
  source=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  parts=$(sed -n 's#^\t*\(k8s.io/[a-z-]*\) => ./staging.*#\1#p; s#^replace \(k8s.io/[a-z-]*\) => ./staging.*#\1#p' "$source/go.mod" | sort -u)
  [ -n "$parts" ] || parts=$(sed -n 's#^\t\(k8s.io/[a-z-]*\) v0.0.0$#\1#p' "$source/go.mod" | sort -u)
  {
    printf 'module suite\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v%s\n' "$version"
    sed -n '/^require (/,/^)/p' "$source/go.mod"
    for part in $parts; do printf 'replace %s => %s v0.%s\n' "$part" "$part" "${version#1.}"; done
    printf 'replace github.com/ishidawataru/sctp => %s\n' "$here/sctp"
  } > "$out/suite/go.mod"
  cp "$source/go.sum" "$out/suite/go.sum"
  chmod u+w "$out/suite/go.sum"
  printf 'package suite\n\nimport _ "k8s.io/kubernetes/test/images/agnhost/connect"\n' > "$out/suite/suite.go"
  (cd "$out/suite" && CGO_ENABLED=0 go build -o "$out/agnhost" k8s.io/kubernetes/test/images/agnhost)
  cp "$source/test/images/agnhost/porter/localhost.crt" "$source/test/images/agnhost/porter/localhost.key" "$out/"
fi

# The image's command unless a container has one is `pause`.
cp "$out/localhost.crt" "$out/localhost.key" /
cp "$out/agnhost" /agnhost.new
mv /agnhost.new /agnhost.bin
printf '#!/bin/sh\n[ $# -gt 0 ] || set -- pause\nexec /agnhost.bin "$@"\n' > /agnhost
chmod +x /agnhost
