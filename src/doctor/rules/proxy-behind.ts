import { keyOf } from '../../cluster/index.ts'
import type { Rule } from '../cause.ts'
import type { Examination } from '../examination.ts'
import type { ProxyState } from '../proxy.ts'
import { addressText, proofOf } from '../words.ts'
import { passes } from './way.ts'

/** kube-proxy's rules on a node are not what the Services say: it does not run, its tables are gone, or it is behind. */
export const proxyBehind: Rule = {
  covers: ['55', '56'],
  judge(examination) {
    return examination.nodes.flatMap(({ node, proxy }) => {
      if (proxy === undefined) return []
      const own = proxy.differences.filter(({ service }) => service === keyOf(examination.subject.service))
      const bad = failingOver(examination, node)
      // Other Services' troubles explain this one only where it fails.
      if (own.length === 0 && (bad.length === 0 || proxy.behind === 0)) return []
      // Programs in the kernel may serve Services where no rules are: then its clients are served.
      if (proxy.mode === 'none' && (bad.length === 0 || (proxy.others.length > 0 && proxy.runs !== true))) return []
      const { field, value, says, fix } = wordsFor(node, proxy)
      return [
        {
          confidence: own.length > 0 ? ('certain' as const) : ('possible' as const),
          object: `node/${node}`,
          field,
          value,
          says,
          proof: [
            ...own.map(
              (one) =>
                `service/${one.service} at ${addressText(one)}: the objects say ${one.desired}, the rules of ${node} ${one.found}`,
            ),
            ...bad.slice(0, 2).map(proofOf),
          ],
          twin: 'a wrong selector or EndpointSlice: there the node holds what the objects say',
          fix: { says: fix },
          rung: 'cluster-ip' as const,
        },
      ]
    })
  },
}

function failingOver({ tested }: Examination, node: string) {
  return tested.filter((one) => !one.good && passes(one, node))
}

function wordsFor(node: string, { mode, runs, behind, compared, empty }: ProxyState) {
  const restart = `start kube-proxy on ${node} again: it writes all of its rules anew`
  const behindBy = `${behind} of ${compared} ClusterIP ports on ${node} are not as the Services say`
  const stopped = runs === false ? 'kube-proxy does not run there' : undefined
  if (mode === 'none' || empty) {
    const cause =
      stopped ??
      (runs === true
        ? 'kube-proxy runs and its rules are gone: something flushed them'
        : 'kube-proxy has no rules there')
    return { field: 'kube-proxy', value: 'no rules', says: `${node} leads no Service on: ${cause}`, fix: restart }
  }
  if (stopped !== undefined)
    return {
      field: 'kube-proxy',
      value: 'does not run',
      says: `${stopped.replace('there', `on ${node}`)} (mode ${mode}), and its rules grow old: ${behindBy}`,
      fix: restart,
    }
  const says = `kube-proxy on ${node} (mode ${mode}) is behind: ${behindBy}`
  const fix = `see why: its log, http://127.0.0.1:10249/metrics (kubeproxy_sync_proxy_rules_last_timestamp_seconds, …_failures_total), whether it reaches the API server; then ${restart}`
  return { field: 'kube-proxy', value: `${behind} behind`, says, fix }
}
