import { writeFileSync } from 'node:fs'
import type { Address } from '../addr/index.ts'
import {
  createAuthority,
  issueApiServerCertificate,
  issueCertificate,
  issueKubeletCertificate,
  type KeyPair,
  renderKubeconfig,
} from '../apiserver/index.ts'
import type { LabNetwork } from './config.ts'

/** The lab's certificate authority and what it has signed at start. */
export interface Credentials {
  readonly authority: KeyPair
  readonly apiServer: KeyPair
  /** The operator: group `system:masters`. */
  readonly admin: KeyPair
  /** The API server towards kubelets. */
  readonly kubeletClient: KeyPair
}

/** Makes a lab's credentials; they live as long as the lab. */
export async function createCredentials(
  network: LabNetwork,
  controlAddresses: readonly Address[],
): Promise<Credentials> {
  const authority = await createAuthority('plumb-lab')
  const addresses = [...controlAddresses, ...serviceAddresses(network)]
  const [apiServer, admin, kubeletClient] = await Promise.all([
    issueApiServerCertificate(authority, { addresses, clusterDomain: network.clusterDomain }),
    issueCertificate(authority, {
      commonName: 'kubernetes-admin',
      organizations: ['system:masters'],
      usages: ['client'],
      // As kubeadm's: Java clients without BouncyCastle read no other key.
      keyAlgorithm: 'rsa-2048',
    }),
    issueCertificate(authority, {
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
      usages: ['client'],
    }),
  ])
  return { authority, apiServer, admin, kubeletClient }
}

/** `kubernetes.default`: the first address of each Service prefix. */
function serviceAddresses({ servicePrefixes }: LabNetwork): string[] {
  return servicePrefixes.map((prefix) => {
    const base = prefix.slice(0, prefix.indexOf('/'))
    return base.endsWith('::') ? `${base}1` : base.replace(/\.0$/, '.1')
  })
}

/** Writes a kubeconfig, by default the operator's, that only its owner may read. */
export function writeKubeconfig(
  path: string,
  server: string,
  { authority, admin }: Credentials,
  name: string,
  client = admin,
): void {
  writeFileSync(path, renderKubeconfig({ server, clusterCa: authority.cert, client, name }), { mode: 0o600 })
}

/** What one of the lab's own processes shows to the API server. */
export function issueClient({ authority }: Credentials, user: string, ...groups: string[]): Promise<KeyPair> {
  return issueCertificate(authority, { commonName: user, organizations: groups, usages: ['client'] })
}

/** The certificate that a node's kubelet serves with, and that it shows to the API server. */
export function issueKubelet(credentials: Credentials, node: string, addresses: readonly Address[]): Promise<KeyPair> {
  return issueKubeletCertificate(credentials.authority, node, addresses)
}

/** The certificate that all stand-ins share. */
export function issueStandIn({ authority }: Credentials): Promise<KeyPair> {
  return issueCertificate(authority, {
    commonName: 'stand-in',
    usages: ['server'],
    dnsNames: ['stand-in', '*.svc.cluster.local'],
  })
}
