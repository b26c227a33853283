import { disjoint, type Family, type Prefix, prefixFamily, renderPrefix } from '../addr/index.ts'
import { sets } from './sets.ts'

/** Prefixes that the tables tell apart. */
export interface ServicesScope {
  /** Sources that are pods: they reach endpoints under their own address. */
  readonly podPrefixes: readonly Prefix[]
  /** Those of this node: policy Local is not for them. */
  readonly ownPodPrefixes: readonly Prefix[]
  /** Addresses that only Services may have; packets to the rest are dropped. */
  readonly servicePrefixes: readonly Prefix[]
}

/** The intervals that the tables hold of the scope, by family and set. */
export function scopeElements(
  families: readonly Family[],
  { podPrefixes, ownPodPrefixes, servicePrefixes }: ServicesScope,
): { family: Family; set: (typeof sets)[Family]['podPrefixes']; keys: readonly string[] }[] {
  return families.flatMap((family) => {
    const keys = (prefixes: readonly Prefix[]): string[] =>
      disjoint(prefixes.filter((prefix) => prefixFamily(prefix) === family)).map(renderPrefix)
    return [
      { family, set: sets[family].podPrefixes, keys: keys(podPrefixes) },
      { family, set: sets[family].ownPodPrefixes, keys: keys(ownPodPrefixes) },
      { family, set: sets[family].servicePrefixes, keys: keys(servicePrefixes) },
    ]
  })
}
