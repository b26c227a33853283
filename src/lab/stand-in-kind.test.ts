import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Manifest } from '../client/index.ts'
import { standInDefinitions } from './stand-in-kind.ts'

const manifest = (apiVersion: string, kind: string, namespace?: string): Manifest =>
  ({
    source: 'x.yaml',
    document: 1,
    line: 1,
    object: { apiVersion, kind, metadata: { name: 'one', ...(namespace && { namespace }) } },
  }) as Manifest

test('one definition per unknown kind, with the versions, plural and scope that its objects show', () => {
  const made = standInDefinitions([
    manifest('monitoring.coreos.com/v1', 'ServiceMonitor'),
    manifest('monitoring.coreos.com/v1', 'ServiceMonitor', 'shop'),
    manifest('example.com/v1', 'Proxy'),
    manifest('example.com/v2', 'Proxy'),
    manifest('cert-manager.io/v1', 'ClusterIssuer'),
    manifest('v1', 'Podd'),
  ]) as unknown as {
    metadata: { name: string }
    spec: { scope: string; versions: { name: string; storage: boolean }[] }
  }[]
  assert.deepEqual(
    made.map(({ metadata, spec }) => [
      metadata.name,
      spec.scope,
      spec.versions.map(({ name, storage }) => `${name}${storage ? '*' : ''}`).join(),
    ]),
    [
      ['servicemonitors.monitoring.coreos.com', 'Namespaced', 'v1*'],
      ['proxies.example.com', 'Namespaced', 'v1*,v2'],
      ['clusterissuers.cert-manager.io', 'Cluster', 'v1*'],
    ],
  )
})
