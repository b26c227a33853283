import { keyOf } from '../../cluster/index.ts'
import { asksClusterDns, searchPathOf } from '../../dns/index.ts'
import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { proofOf } from '../words.ts'

/** The client that was named asks another DNS than the cluster's, or its resolver does not complete short names. */
export const clientName: Rule = {
  covers: ['53'],
  judge(examination) {
    const { snapshot, stand, subject } = examination
    const pod = stand.client === undefined ? undefined : snapshot.pods.get(stand.client)
    if (pod === undefined || stand.named !== true) return []
    const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = pod.spec
    const { name, namespace = '' } = subject.service.metadata
    const dns = snapshot.services.get('kube-system/kube-dns')?.spec.clusterIP
    const servers = dnsPolicy === 'None' ? (dnsConfig?.nameservers ?? []) : []
    const asksCluster = asksClusterDns(pod) || servers.some((one) => one === dns)
    const wanted = `${namespace}.svc.${stand.clusterDomain}`
    const own = pod.metadata.namespace === namespace
    const completes = searchPathOf(pod, stand.clusterDomain).searches.some(
      (one) => one.replace(/\.$/, '') === (own ? wanted : `svc.${stand.clusterDomain}`),
    )
    if (dns === undefined || (asksCluster && completes)) return []
    const short = own ? name : `${name}.${namespace}`
    const proof = on(examination, 'client-pod')
      .filter(({ good }) => good)
      .slice(0, 1)
      .map(proofOf)
    const field = dnsPolicy === 'None' && asksCluster ? 'spec.dnsConfig.searches' : 'spec.dnsPolicy'
    return [
      {
        confidence: 'certain',
        object: `pod/${keyOf(pod)}`,
        field,
        value: field === 'spec.dnsPolicy' ? dnsPolicy : (dnsConfig?.searches ?? []).join(', '),
        says: asksCluster
          ? `pod/${keyOf(pod)} asks the cluster’s DNS and does not complete short names: ${short} is NXDOMAIN there, and ${name}.${wanted} is the Service`
          : `pod/${keyOf(pod)} does not ask the cluster’s DNS (dnsPolicy ${dnsPolicy}${hostNetwork === true ? ', on the node’s network' : ''}): no name of a Service is known to it`,
        proof,
        twin: 'a DNS server that is down: there the full name is not answered either',
        fix: {
          says: asksCluster
            ? `write ${name}.${wanted}, or add the search domains ${wanted}, svc.${stand.clusterDomain}, ${stand.clusterDomain} to dnsConfig`
            : `let dnsPolicy be ${hostNetwork === true ? 'ClusterFirstWithHostNet' : 'ClusterFirst'} in the pod's template, or ask by address`,
        },
        rung: 'name',
      },
    ]
  },
}
