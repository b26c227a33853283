import { existsSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import type { Credentials } from './connection.ts'
import { tokenFromFile } from './kubeconfig.ts'

const directory = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The credentials of the pod's service account; throws outside of a pod. */
export function readServiceAccount(): Credentials {
  const host = process.env.KUBERNETES_SERVICE_HOST
  const port = process.env.KUBERNETES_SERVICE_PORT ?? '443'
  if (host === undefined || !existsSync(`${directory}/token`))
    throw new Error(`no service account: KUBERNETES_SERVICE_HOST or ${directory}/token is missing; give a kubeconfig`)
  const namespaceFile = `${directory}/namespace`
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    ca: readFileSync(`${directory}/ca.crt`, 'utf8'),
    token: tokenFromFile(`${directory}/token`),
    ...(existsSync(namespaceFile) && { namespace: readFileSync(namespaceFile, 'utf8').trim() }),
  }
}
