export { type KubeconfigOptions, renderKubeconfig } from './kubeconfig.ts'
export type { ApiServer, ApiServerOptions, ListenerOptions } from './options.ts'
export {
  type CertificateRequest,
  createAuthority,
  issueApiServerCertificate,
  issueCertificate,
  issueKubeletCertificate,
  type KeyPair,
} from './pki.ts'
export { startApiServer } from './server.ts'
