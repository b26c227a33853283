import { compileGatewayApi, type GatewayApiState } from './gateways.ts'
import { compileIngresses } from './ingress-compile.ts'
import type { Certificate, Finding, GatewayModel } from './model.ts'
import type { Sources } from './sources.ts'

/** What all Ingresses and Gateways of our classes mean together. Total: whatever is wrong with one becomes a finding and the rest is served. */
export function compileGateways(sources: Sources, ports = { http: 80, https: 443 }): GatewayModel {
  return joinModels(compileIngresses(sources, ports), compileGatewayApi(sources))
}

function joinModels(ingress: GatewayModel, api: GatewayApiState): GatewayModel {
  const entrances = [...ingress.entrances, ...api.entrances]
  const certificates = new Map([...ingress.certificates.map((one) => [one.id, one] as const), ...api.certificates])
  return {
    wanted: entrances.length > 0,
    entrances,
    backends: [...new Map([...ingress.backends.map((one) => [one.id, one] as const), ...api.backends]).values()],
    certificates: [...certificates.values()],
    authorities: [...ingress.authorities, ...api.authorities.values()],
    userLists: ingress.userLists,
    findings: [...ingress.findings, ...api.findings, ...[...certificates.values()].flatMap(stapleFinding)],
  }
}

function stapleFinding({ id, because, stapleFault }: Certificate): Finding[] {
  if (stapleFault === undefined) return []
  const says = `tls.ocsp-staple of secret/${id.replace(':', '/')} is not shown to clients: ${stapleFault}`
  const remedy = 'store a response in DER of the responder for this certificate, or take the key away'
  return [{ code: 'StapleInvalid', object: because.object, field: because.field, says, try: remedy }]
}
