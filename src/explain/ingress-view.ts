import { keyOf, type Snapshot } from '../cluster/index.ts'
import { compileGateways, hostText, type Ingress, type Sources } from '../gateways/index.ts'
import { keysIn, nearest } from './end.ts'
import {
  backendView,
  certificateView,
  type EntryHealth,
  type EntryView,
  healthOf,
  type ListenerView,
  matchText,
  type RuleView,
} from './entry-view.ts'

type Model = ReturnType<typeof compileGateways>

/** Draws an Ingress out of the objects; text for one that does not exist, with the nearest names. `model` is the sources compiled, for who draws many. */
export function ingressView(
  snapshot: Snapshot,
  sources: Sources,
  namespace: string,
  name: string,
  model: Model = compileGateways(sources),
): EntryView | string {
  const ingresses = new Map(sources.ingresses.map((one) => [keyOf(one), one]))
  const ingress = ingresses.get(`${namespace}/${name}`)
  if (ingress === undefined)
    return `there is no Ingress ${namespace}/${name}${nearest(name, keysIn(ingresses, namespace))}`
  const object = `ingress/${keyOf(ingress)}`
  const rules = rulesOf(snapshot, model, object)
  const addresses = (ingress.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? [])
  const findings = model.findings.filter((one) => one.object === object)
  const routes = rules.length === 0 ? [] : [{ object, problem: undefined, hosts: [], rules }]
  const problems = findings.map(({ field, says }) => `${field}: ${says}`)
  if (addresses.length === 0) problems.push('no address is told yet (status.loadBalancer)')
  return {
    schema: 'plumb.network/show/v1',
    object,
    className: ingress.spec?.ingressClassName,
    health: foreign(ingress, rules, findings.length) ?? healthOf(routes, problems),
    addresses: addresses.map((address) => ({ address })),
    listeners: listenersOf(ingress, model),
    routes,
    conditions: [],
    findings,
  }
}

function foreign({ spec }: Ingress, rules: readonly RuleView[], findings: number): EntryHealth | undefined {
  if (rules.length > 0 || findings > 0) return undefined
  if (spec?.rules === undefined && spec?.defaultBackend === undefined) return undefined
  const named = spec.ingressClassName
  const says =
    named === undefined
      ? 'it names no class, and the default IngressClass is not Plumb’s (spec.ingressClassName)'
      : `IngressClass ${named} is another controller’s (spec.ingressClassName)`
  return { kind: 'ignored', says }
}

/** Rules are the same at both entrances, but one may redirect to the other. */
function rulesOf(snapshot: Snapshot, model: Model, object: string): RuleView[] {
  const backends = new Map(model.backends.map((one) => [one.id, one]))
  const found = new Map<string, RuleView & { hosts: string[] }>()
  const add = (
    host: string,
    matches: string,
    because: RuleView['because'],
    targets: Parameters<typeof backendView>[1][],
  ) => {
    const views = targets.map((target) => backendView(snapshot, target, backends))
    const id = JSON.stringify([matches, because, views])
    const known = found.get(id)
    if (known === undefined) found.set(id, { because, hosts: [host], matches, backends: views })
    else if (!known.hosts.includes(host)) known.hosts.push(host)
  }
  for (const { id, tiers, streams } of model.entrances.filter((one) => one.id === 'http' || one.id === 'https')) {
    for (const { host, rules } of tiers)
      for (const rule of rules)
        if (rule.because.object === object)
          add(
            hostText(host),
            rule.action.targets.length === 0 ? `${matchText(rule)} (${id})` : matchText(rule),
            rule.because,
            [...rule.action.targets],
          )
    for (const { host, because, action } of streams)
      if (because.object === object) add(hostText(host), 'TLS, passed through', because, [...action.targets])
  }
  return [...found.values()]
}

function listenersOf(ingress: Ingress, { certificates }: Model): ListenerView[] {
  return (ingress.spec?.tls ?? []).map(({ hosts = [], secretName }, at) => {
    const found = certificates.find(({ id }) => id === `${ingress.metadata.namespace}:${secretName}`)
    const missing = secretName ? 'its Secret cannot be used, so the default certificate is served' : undefined
    return {
      name: `spec.tls[${at}]`,
      hosts: hosts.length > 0 ? hosts : (ingress.spec?.rules ?? []).flatMap(({ host }) => host ?? []),
      certificates: found === undefined ? [] : [certificateView(found)],
      problem: found === undefined ? missing : undefined,
    }
  })
}
