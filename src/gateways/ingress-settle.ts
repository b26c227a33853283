import { hostText } from './host.ts'
import { both, type Claim, type ClaimBackend, type Claims, type Entry } from './ingress-claims.ts'
import { regexFault } from './match.ts'
import type { Finding } from './model.ts'
import { perObject } from './remember.ts'

/**
 * Who has what Ingresses claim; they are given oldest first. No two claims that are served have the same entry, host, path and
 * conditions. A canary shares in the claim of the Ingress that it is for.
 */
export function settleClaims(all: readonly Claims[]): {
  readonly claims: readonly Claim[]
  /** Each host once. */
  readonly passthrough: readonly Claim[]
  readonly findings: Finding[]
} {
  const findings: Finding[] = []
  const served = new Map<string, Claim>()
  for (const stage of [0, 1, 2])
    for (const claim of all.flatMap(({ stages }) => stages[stage] ?? [])) {
      const free = claim.entries.filter((entry) => !served.has(keyOf(claim, entry)))
      const kept = free.length === claim.entries.length ? claim : { ...claim, entries: free }
      for (const entry of free) served.set(keyOf(claim, entry), kept)
      // Aliases and default backends step back without a word: that is what they are for.
      if (kept === claim || stage > 0) continue
      const taken = claim.entries.map((entry) => served.get(keyOf(claim, entry))!).find((one) => !isOf(one, claim))
      if (taken !== undefined) findings.push(takenBy(taken, claim))
    }
  const passthrough = new Map<string, Claim>()
  for (const claim of all.flatMap((one) => one.passthrough))
    if (!passthrough.has(hostText(claim.host))) passthrough.set(hostText(claim.host), claim)
  const taken = new Map<string, Claim>()
  for (const claim of all.flatMap(({ canary }) => canary)) addCanary(claim, served, taken, findings)
  return { claims: [...new Set(served.values())], passthrough: [...passthrough.values()], findings }
}

/** A claim of a canary becomes a share of the one for the same host and path, and conditions before it. */
function addCanary(claim: Claim, served: Map<string, Claim>, taken: Map<string, Claim>, findings: Finding[]): void {
  const canary = claim.settings.canary!
  const mains = both.flatMap((entry) => {
    const main = served.get(keyOf(claim, entry))
    return main !== undefined && main.ingress.metadata.namespace === claim.ingress.metadata.namespace ? [main] : []
  })
  const other = taken.get(keyOf(claim, 'http')) ?? taken.get(keyOf(claim, 'https'))
  // One canary is all that an Ingress can have, as at ingress-nginx.
  if (other !== undefined) findings.push(takenBy(other, claim))
  for (const main of other === undefined ? new Set(mains) : []) {
    if (main.backends.length === 0) continue
    const rest = canary.total - canary.weight
    const weigh = (all: readonly ClaimBackend[], weight: number) => all.map((one) => ({ ...one, weight }))
    const backends = [...weigh(main.backends, rest), ...weigh(claim.backends, canary.weight)]
    const shared: Claim = { ...main, backends: backends.filter(({ weight }) => weight > 0) }
    const chosen = canary.choices.filter(({ match }) => match.kind === 'exact' || regexFault(match.value) === undefined)
    const conditions = chosen.map(({ match, takes }, at): Claim => {
      const to = takes ? claim.backends : main.backends
      return { ...main, headers: [match], backends: to, number: `${main.number}.${at}`, because: claim.because }
    })
    for (const entry of main.entries) {
      taken.set(keyOf(claim, entry), claim)
      // Those with conditions are looked at in this order, before those without.
      for (const one of [shared, ...conditions]) served.set(keyOf(one, entry), one)
    }
  }
  if (mains.length === 0) {
    const says = `no Ingress of ${claim.ingress.metadata.namespace} serves ${hostText(claim.host)}${claim.because.value}, so there is nothing to be a canary of`
    const { object, field } = claim.because
    findings.push({ code: 'CanaryAlone', object, field, says, try: 'give both Ingresses the same host and path' })
  }
}

function isOf(a: Claim, b: Claim): boolean {
  return a.ingress === b.ingress && a.because.field === b.because.field
}

function keyOf(claim: Claim, entry: Entry): string {
  return keysOf(claim)[entry]
}

const keysOf = perObject(({ host, path, headers }: Claim): Readonly<Record<Entry, string>> => {
  const key = `${hostText(host)} ${path.kind} ${path.value} ${headers.length === 0 ? '' : JSON.stringify(headers)}`
  return { http: `http ${key}`, https: `https ${key}` }
})

function takenBy(taken: Claim, { host, path, because }: Claim): Finding {
  return {
    code: 'RouteTaken',
    object: because.object,
    field: because.field,
    says: `${hostText(host)}${path.value || '/'} is served by ${taken.because.object} (${taken.because.field}) already`,
    try: 'give one of the two another host or path',
  }
}
