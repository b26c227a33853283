import type { KubeObject } from '../objects/index.ts'
import type { ConnectOptions, Credentials } from './connection.ts'
import type { Client, InformerOptions, Resource } from './contract.ts'
import { execInPod } from './exec.ts'
import { readServiceAccount } from './in-cluster.ts'
import { type SharedInformer, shareInformer } from './informer.ts'
import { readKubeconfig } from './kubeconfig.ts'
import { listQuery } from './path.ts'
import { Reachability } from './reachability.ts'
import { openRest } from './rest.ts'
import { openTransport } from './transport.ts'

/** A client for one API server. Nothing is sent yet; throws when the kubeconfig or the service account cannot be read. */
export function connect(options: ConnectOptions): Client {
  const transport = openTransport(findCredentials(options), options)
  const rest = openRest(transport)
  const reachability = new Reachability(transport.probes, transport.renew, options.silentMs)
  const shared = new Map<string, SharedInformer<KubeObject>>()
  const stops = new Set<() => void>()
  let closed = false

  const share = (resource: Resource, { optional = false, ...selection }: InformerOptions) => {
    const { group, version, plural } = resource
    const key = `${group}/${version}/${plural}/${selection.namespace ?? ''}${listQuery(selection)}${optional ? '?' : ''}`
    const known = shared.get(key)
    if (known !== undefined) return known
    const onTrouble = (error: Error) => options.onTrouble?.(`${plural}: ${error.message}`)
    const stallMs = options.stallMs ?? 150_000
    const fresh = shareInformer(
      { rest, transport, reachability, resource, selection, stallMs, optional, onTrouble },
      () => shared.delete(key),
    )
    shared.set(key, fresh)
    return fresh
  }

  return {
    ...rest,
    informer<T extends KubeObject>(resource: Resource, selection = {}) {
      const informer = (share(resource, selection) as unknown as SharedInformer<T>).open()
      const close = () => {
        stops.delete(close)
        closeInformer()
      }
      const closeInformer = informer.close
      stops.add(close)
      informer.close = close
      return informer
    },
    async exec(command) {
      if (closed) throw new Error('the client is closed')
      const running = await execInPod(transport, command)
      stops.add(running.close)
      void running.ended.then(() => stops.delete(running.close))
      return running
    },
    close() {
      closed = true
      for (const stop of [...stops]) stop()
      reachability.close()
      transport.close()
    },
  }
}

/** The credentials that the options name; throws unless there is exactly one source. */
export function findCredentials(options: ConnectOptions): Credentials {
  const { kubeconfig, inCluster, server, token } = options
  const sources = [kubeconfig !== undefined, inCluster === true, server !== undefined].filter(Boolean).length
  if (sources !== 1) throw new TypeError('connect: give one of kubeconfig, inCluster and server')
  if (kubeconfig !== undefined) return readKubeconfig(kubeconfig, options.context)
  if (inCluster) return readServiceAccount()
  return {
    server: server!,
    ...(options.ca && { ca: options.ca }),
    ...(options.cert && { cert: options.cert }),
    ...(options.key && { key: options.key }),
    ...(token && { token: () => token }),
    ...(options.serverName && { serverName: options.serverName }),
    ...(options.insecureSkipTlsVerify && { insecureSkipTlsVerify: true }),
  }
}
