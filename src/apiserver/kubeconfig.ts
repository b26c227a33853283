import type { KeyPair } from './pki.ts'

/** What a kubeconfig of one cluster and one user says. */
export interface KubeconfigOptions {
  /** `https://host:port`. */
  readonly server: string
  /** PEM text. */
  readonly clusterCa: string
  readonly client: KeyPair
  /** Name of cluster, user and context; `plumb` when left out. */
  readonly name?: string
  /** `default` when left out. */
  readonly namespace?: string
}

/** A kubeconfig with everything inside, as YAML. */
export function renderKubeconfig({ server, clusterCa, client, name = 'plumb', namespace }: KubeconfigOptions): string {
  const quoted = JSON.stringify(name)
  return `apiVersion: v1
kind: Config
current-context: ${quoted}
clusters:
- name: ${quoted}
  cluster:
    server: ${JSON.stringify(server)}
    certificate-authority-data: ${base64(clusterCa)}
users:
- name: ${quoted}
  user:
    client-certificate-data: ${base64(client.cert)}
    client-key-data: ${base64(client.key)}
contexts:
- name: ${quoted}
  context:
    cluster: ${quoted}
    user: ${quoted}
${namespace === undefined ? '' : `    namespace: ${JSON.stringify(namespace)}\n`}`
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
