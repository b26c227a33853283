export { backUpFolder, backupEndpoint, restoreFolder, storePath } from './backup.ts'
export { checkStore } from './integrity.ts'
export { renderKubeconfig } from './kubeconfig.ts'
export type { ApiServer, ApiServerOptions, AuditOptions } from './options.ts'
export {
  createAuthority,
  issueApiServerCertificate,
  issueCertificate,
  issueKubeletCertificate,
  type KeyPair,
} from './pki.ts'
export { startApiServer } from './server.ts'
