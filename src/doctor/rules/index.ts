import type { Rule } from '../cause.ts'
import type { RequestRule } from '../request.ts'
import { addressOwner } from './address-owner.ts'
import { agentSilent } from './agent-silent.ts'
import { agentUnwell } from './agent-unwell.ts'
import { answerCut } from './answer-cut.ts'
import { answerNotTaken } from './answer-not-taken.ts'
import { backendCertificate } from './backend-certificate.ts'
import { backendError } from './backend-error.ts'
import { backlogFull } from './backlog-full.ts'
import { bgpSession } from './bgp-session.ts'
import { checksum } from './checksum.ts'
import { clientLimits } from './client-limits.ts'
import { clientName } from './client-name.ts'
import { closesEarly } from './closes-early.ts'
import { conntrackFull } from './conntrack-full.ts'
import { dns } from './dns.ts'
import { duplicateAddress } from './duplicate-address.ts'
import { externalAddress } from './external-address.ts'
import { foreignFirewall } from './foreign-firewall.ts'
import { foreignRule } from './foreign-rule.ts'
import { gatewayCertificate } from './gateway-certificate.ts'
import { gatewayItself } from './gateway-itself.ts'
import { hairpin } from './hairpin.ts'
import { idleRace } from './idle-race.ts'
import { kernelDiffers } from './kernel-differs.ts'
import { listensOnLoopback } from './listens-on-loopback.ts'
import { lostBeforeNode } from './lost-before-node.ts'
import { masquerade } from './masquerade.ts'
import { neighbourTableFull } from './neighbour-table-full.ts'
import { noRoute } from './no-route.ts'
import { notForwarding } from './not-forwarding.ts'
import { notServed } from './not-served.ts'
import { nothingListens } from './nothing-listens.ts'
import { oneFamily } from './one-family.ts'
import { pathMtu } from './path-mtu.ts'
import { podsNotReady } from './pods-not-ready.ts'
import { policyDenies } from './policy-denies.ts'
import { portNotInPod } from './port-not-in-pod.ts'
import { portsExhausted } from './ports-exhausted.ts'
import { proxyBehind } from './proxy-behind.ts'
import { proxyHeaderMissing, proxyHeaderUnexpected } from './proxy-header.ts'
import { redirectsToItself, requestLoops } from './redirects-to-itself.ts'
import { requestTooLarge } from './request-too-large.ts'
import { retryStorm } from './retry-storm.ts'
import { reversePath } from './reverse-path.ts'
import { routingLoop } from './routing-loop.ts'
import { selectorMatchesNothing } from './selector-matches-nothing.ts'
import { selectorTooWide } from './selector-too-wide.ts'
import { sessionAffinity } from './session-affinity.ts'
import { sourceRanges } from './source-ranges.ts'
import { staleConnection } from './stale-connection.ts'
import { staleName } from './stale-name.ts'
import { staleSlices } from './stale-slices.ts'
import { timeoutOrder } from './timeout-order.ts'
import { tlsRefused } from './tls-refused.ts'
import { tooSlow } from './too-slow.ts'
import { trafficPolicyLocal } from './traffic-policy-local.ts'
import { tunnelCut } from './tunnel-cut.ts'
import { wrongProtocol } from './wrong-protocol.ts'
import { wrongTargetPort } from './wrong-target-port.ts'

/** Every rule by the name of its file; of equal causes the earlier rule's comes first. */
export const rules: Readonly<Record<string, Rule>> = {
  'selector-matches-nothing': selectorMatchesNothing,
  'selector-too-wide': selectorTooWide,
  'port-not-in-pod': portNotInPod,
  'pods-not-ready': podsNotReady,
  'stale-slices': staleSlices,
  'not-served': notServed,
  'wrong-target-port': wrongTargetPort,
  'listens-on-loopback': listensOnLoopback,
  'one-family': oneFamily,
  'nothing-listens': nothingListens,
  'backlog-full': backlogFull,
  'wrong-protocol': wrongProtocol,
  'proxy-header': proxyHeaderMissing,
  'tls-refused': tlsRefused,
  'closes-early': closesEarly,
  'too-slow': tooSlow,
  'backend-error': backendError,
  'answer-not-taken': answerNotTaken,
  'redirects-to-itself': redirectsToItself,
  'answer-cut': answerCut,
  'request-too-large': requestTooLarge,
  'idle-race': idleRace,
  'duplicate-address': duplicateAddress,
  'not-forwarding': notForwarding,
  'conntrack-full': conntrackFull,
  'ports-exhausted': portsExhausted,
  'neighbour-table-full': neighbourTableFull,
  checksum,
  'routing-loop': routingLoop,
  'path-mtu': pathMtu,
  'foreign-rule': foreignRule,
  'reverse-path': reversePath,
  'proxy-behind': proxyBehind,
  masquerade,
  'agent-unwell': agentUnwell,
  'agent-silent': agentSilent,
  'kernel-differs': kernelDiffers,
  'policy-denies': policyDenies,
  dns,
  'client-name': clientName,
  'traffic-policy-local': trafficPolicyLocal,
  'source-ranges': sourceRanges,
  hairpin,
  'address-owner': addressOwner,
  'bgp-session': bgpSession,
  'lost-before-node': lostBeforeNode,
  'external-address': externalAddress,
  'tunnel-cut': tunnelCut,
  'foreign-firewall': foreignFirewall,
  'stale-connection': staleConnection,
  'stale-name': staleName,
  'session-affinity': sessionAffinity,
}

/** Rules about requests through a gateway. */
export const requestRules: Readonly<Record<string, RequestRule>> = {
  'no-route': noRoute,
  'gateway-certificate': gatewayCertificate,
  'backend-certificate': backendCertificate,
  'proxy-header-unexpected': proxyHeaderUnexpected,
  'timeout-order': timeoutOrder,
  'retry-storm': retryStorm,
  'client-limits': clientLimits,
  'request-loops': requestLoops,
  'gateway-itself': gatewayItself,
}
