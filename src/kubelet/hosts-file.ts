import type { Pod } from '../objects/index.ts'

/** The host name of a pod: `spec.hostname`, else its name, cut to what a label may have; on the host's network the node's. */
export function podHostname(pod: Pod): string {
  if (pod.spec.hostNetwork) return pod.spec.nodeName ?? pod.metadata.name
  return (pod.spec.hostname ?? pod.metadata.name).slice(0, 63).replace(/[-.]+$/, '')
}

/** The /etc/hosts of a pod, as kubelet writes it. */
export function renderHostsFile(pod: Pod, addresses: readonly string[], clusterDomain: string): string {
  const hostname = podHostname(pod)
  const { subdomain, hostAliases = [] } = pod.spec
  const names =
    subdomain === undefined
      ? hostname
      : `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}\t${hostname}`
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...addresses.map((address) => `${address}\t${names}`),
  ]
  if (hostAliases.length > 0) lines.push('', '# Entries added by HostAliases.')
  for (const { ip, hostnames = [] } of hostAliases) lines.push([ip, ...hostnames].join('\t'))
  return `${lines.join('\n')}\n`
}
