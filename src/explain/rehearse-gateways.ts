import { keyOf, type LiveSnapshot } from '../cluster/index.ts'
import {
  compileGatewayApi,
  compileGateways,
  type GatewayModel,
  planInfrastructure,
  type Sources,
  TargetPorts,
} from '../gateways/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import { gatewaySources } from './gateway-sources.ts'

const gatewayApi = 'gateway.networking.k8s.io/v1'
const controllers = { ingress: 'plumb.network/gateway', gateway: 'plumb.network/gateway-controller' } as const

/** The gateways that manifests ask for, with the classes and Services that a cluster would have for them; those go into the snapshot. */
export function rehearseGateways(
  objects: readonly KubeObject[],
  snapshot: LiveSnapshot,
): { readonly model: GatewayModel; readonly sources: Sources; readonly assumptions: readonly string[] } {
  const classes = missingClasses(objects)
  const sources = gatewaySources([...objects, ...classes], snapshot)
  const ports = new TargetPorts()
  const nodes = [...snapshot.nodes.values()].map((node) => ({
    name: node.metadata.name,
    addresses: Object.values(nodeAddresses(node)),
  }))
  for (const state of compileGatewayApi(sources).gateways) {
    const made = planInfrastructure(state, undefined, ports, nodes)
    if (made === undefined || snapshot.services.has(keyOf(made.service))) continue
    snapshot.put('services', keyOf(made.service), made.service)
    for (const slice of made.slices) snapshot.put('slices', keyOf(slice), slice)
  }
  const names = classes.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`)
  const assumptions = names.length === 0 ? [] : [`${names.join(', ')} is Plumb’s, for the manifests do not say whose`]
  return { model: compileGateways(sources), sources, assumptions }
}

/** Of classes that are named and not there: people apply manifests to clusters that have them. An Ingress without a class has the default one. */
function missingClasses(objects: readonly KubeObject[]): KubeObject[] {
  const there = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
  const wanted = new Map<string, KubeObject>()
  for (const object of objects) {
    const spec = (object as { spec?: { gatewayClassName?: string; ingressClassName?: string } }).spec
    if (object.kind === 'Gateway' && object.apiVersion.startsWith('gateway.networking.k8s.io/')) {
      const name = spec?.gatewayClassName ?? ''
      if (!there.has(`GatewayClass ${name}`)) wanted.set(`GatewayClass ${name}`, gatewayClass(name))
    }
    if (object.kind !== 'Ingress') continue
    const name = spec?.ingressClassName ?? object.metadata.annotations?.['kubernetes.io/ingress.class']
    if (name !== undefined && !there.has(`IngressClass ${name}`)) wanted.set(`IngressClass ${name}`, ingressClass(name))
    if (name === undefined && !objects.some(({ kind }) => kind === 'IngressClass'))
      wanted.set('IngressClass plumb', ingressClass('plumb', true))
  }
  return [...wanted.values()]
}

function gatewayClass(name: string): KubeObject {
  const spec = { controllerName: controllers.gateway }
  return { apiVersion: gatewayApi, kind: 'GatewayClass', metadata: { name }, ...{ spec } }
}

function ingressClass(name: string, isDefault = false): KubeObject {
  const annotations: Record<string, string> = isDefault ? { 'ingressclass.kubernetes.io/is-default-class': 'true' } : {}
  const spec = { controller: controllers.ingress }
  return { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name, annotations }, ...{ spec } }
}
