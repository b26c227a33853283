import { existsSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

/** How to reach an API server. */
export interface Credentials {
  readonly server: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** Asked for each request: bound tokens are rotated on disk (KEP-1205). */
  readonly token?: () => string
  readonly insecure?: boolean
  readonly namespace?: string
}

const account = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The given kubeconfig; else the pod's service account; else `$KUBECONFIG` or `~/.kube/config`. Throws with what is missing. */
export async function loadCredentials(kubeconfig?: string): Promise<Credentials> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443', KUBECONFIG } = process.env
  const tokenFile = join(account, 'token')
  if (kubeconfig === undefined && host !== undefined && existsSync(tokenFile)) {
    const namespace = join(account, 'namespace')
    return {
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      ca: readFileSync(join(account, 'ca.crt'), 'utf8'),
      token: () => readFileSync(tokenFile, 'utf8').trim(),
      ...(existsSync(namespace) ? { namespace: readFileSync(namespace, 'utf8').trim() } : {}),
    }
  }
  const path = kubeconfig ?? KUBECONFIG?.split(':').find((part) => part !== '') ?? join(homedir(), '.kube', 'config')
  if (!existsSync(path))
    throw new Error(`no credentials: not in a pod with a service account, and ${path} does not exist; give kubeconfig`)
  return readKubeconfig(path)
}

type Named = { name?: string } & Record<string, Record<string, unknown> | string | undefined>

async function readKubeconfig(path: string): Promise<Credentials> {
  const { parse } = await import('yaml')
  const config = parse(readFileSync(path, 'utf8')) as Record<string, unknown> | null
  const find = (list: string, name: unknown, what: string): Record<string, string | undefined> => {
    const entry = ((config?.[list] ?? []) as Named[]).find((one) => one.name === name)
    if (entry === undefined) throw new Error(`kubeconfig ${path}: there is no ${what} "${name}"`)
    return entry[what] as Record<string, string | undefined>
  }
  const context = find('contexts', config?.['current-context'], 'context')
  const cluster = find('clusters', context.cluster, 'cluster')
  const user = context.user === undefined ? {} : find('users', context.user, 'user')
  if (user.exec !== undefined || user['auth-provider'] !== undefined)
    throw new Error(
      `kubeconfig ${path}: user "${context.user}" needs a plugin, which is not run; use a certificate or a token`,
    )
  if (cluster.server === undefined) throw new Error(`kubeconfig ${path}: cluster "${context.cluster}" has no server`)
  const read = (source: Record<string, string | undefined>, name: string) => {
    const data = source[`${name}-data`]
    if (data !== undefined) return Buffer.from(data, 'base64').toString()
    const file = source[name]
    return file === undefined ? undefined : readFileSync(resolve(dirname(path), file), 'utf8')
  }
  const [ca, cert, key] = [
    read(cluster, 'certificate-authority'),
    read(user, 'client-certificate'),
    read(user, 'client-key'),
  ]
  const { token, tokenFile } = user
  return {
    server: cluster.server,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(token === undefined ? {} : { token: () => token }),
    ...(tokenFile === undefined ? {} : { token: () => readFileSync(resolve(dirname(path), tokenFile), 'utf8').trim() }),
    ...(String(cluster['insecure-skip-tls-verify']) === 'true' ? { insecure: true } : {}),
    ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
  }
}
