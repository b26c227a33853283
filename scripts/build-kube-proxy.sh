#!/bin/sh
# Builds kube-proxy from its sources into the file that is named, for test:long: needs Go and the Go module proxy.
#   scripts/build-kube-proxy.sh OUTPUT [KUBERNETES-VERSION]
set -eu
output=$(realpath -m "$1")
version=${2:-1.33.13}
# Kubernetes v1.A.B is made of modules k8s.io/* v0.A.B, which only a main module can say.
staging="api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap code-generator \
component-base component-helpers controller-manager cri-api cri-client csi-translation-lib dynamic-resource-allocation endpointslice \
externaljwt kms kube-aggregator kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils \
pod-security-admission sample-apiserver sample-cli-plugin sample-controller"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  printf 'module peer/kube-proxy\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$version"
  for name in $staging; do printf '\tk8s.io/%s => k8s.io/%s v0.%s\n' "$name" "$name" "${version#1.}"; done
  printf ')\n'
} >go.mod
cat >main.go <<'GO'
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
)

func main() {
	os.Exit(cli.Run(app.NewProxyCommand()))
}
GO
go mod tidy -e >tidy.log 2>&1 || { cat tidy.log >&2; exit 1; }
go build -p 2 -o "$output" .
