import { readFileSync } from 'node:fs'
import { type Address, type Family, families } from '../addr/index.ts'
import { type Namespace, spawnIn } from '../host/index.ts'
import { type NodeRules, parseIptablesSave, parseIpvs, parseNftJson, type Ruleset } from '../netfilter/index.ts'

const patienceMs = 20_000
const maxBytes = 256 << 20

/**
 * The rules of a network namespace as iptables-save, nft and ipvsadm print them, whichever of them are installed: kube-proxy's and
 * everybody else's. Reads alone; needs root. What could not be read is told in `blind`.
 */
export async function readRules(namespace: Namespace): Promise<NodeRules> {
  const addresses = [...new Set(namespace.network.addresses().map(({ address }): Address => address))]
  const [saves, nft, ipvs] = await Promise.all([
    Promise.all(families.map((family) => readIptables(namespace, family))),
    run(namespace, 'nft', ['-j', 'list', 'ruleset']),
    run(namespace, 'ipvsadm', ['-Sn']),
  ])
  const saved = saves.flatMap(({ rulesets }) => rulesets)
  const found = families.map((family): Ruleset | undefined => {
    if (nft.kind !== 'said') return undefined
    // The tables of iptables-nft are there too, in words that nft cannot say whole.
    const known = saved
      .filter((one) => one.family === family)
      .flatMap(({ chains }) => [...chains.values()].map(({ table }) => table))
    return parseNftJson(family, nft.text, new Set(known))
  })
  const rulesets = [...saved, ...found.filter((one) => one !== undefined)]
  const blind = [
    ...saves.flatMap((one) => one.blind),
    ...(nft.kind === 'said' ? [] : [`nftables: ${nft.says}`]),
    ...rulesets.flatMap(({ unread }) => unread.slice(0, 2).map((text) => `a rule that is not understood: ${text}`)),
  ]
  // Most nodes have no IPVS, and then nobody misses it.
  const virtualServers = ipvs.kind === 'said' ? parseIpvs(ipvs.text) : []
  return { rulesets, virtualServers, addresses, blind: [...new Set(blind)] }
}

type Said =
  | { readonly kind: 'said'; readonly text: string }
  | { readonly kind: 'missing' | 'failed'; readonly says: string }

async function readIptables(
  namespace: Namespace,
  family: Family,
): Promise<{ readonly rulesets: readonly Ruleset[]; readonly blind: readonly string[] }> {
  const name = family === 4 ? 'iptables' : 'ip6tables'
  const usual = await run(namespace, `${name}-save`, ['-c'])
  const rulesets: Ruleset[] = []
  if (usual.kind === 'said') rulesets.push(parseIptablesSave(family, usual.text))
  const isNft = usual.kind === 'said' && /nf_tables|nft-save/.test(usual.text.split('\n')[0] ?? '')
  // Legacy tables beside those of nft; the tool itself would load the kernel's modules, so the kernel is asked first.
  const legacy = legacyTables(namespace, family)
  if (legacy && (isNft || usual.kind !== 'said' || usual.text.trim() === '')) {
    const old = await run(namespace, `${name}-legacy-save`, ['-c'])
    if (old.kind === 'said') rulesets.push(parseIptablesSave(family, old.text))
    else return { rulesets, blind: [`legacy ${name} has tables here: ${old.says}`] }
  }
  return { rulesets, blind: usual.kind === 'failed' ? [`${name}: ${usual.says}`] : [] }
}

function legacyTables(namespace: Namespace, family: Family): boolean {
  try {
    const path = `/proc/thread-self/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`
    return namespace.run(() => readFileSync(path, 'utf8')).trim() !== ''
  } catch {
    return false
  }
}

async function run(namespace: Namespace, command: string, words: readonly string[]): Promise<Said> {
  const child = spawnIn(namespace, command, words, { stdio: ['ignore', 'pipe', 'pipe'], timeout: patienceMs })
  const parts: Buffer[] = []
  let bytes = 0
  let complaint = ''
  child.stdout?.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes <= maxBytes) parts.push(part)
    else child.kill()
  })
  child.stderr?.on('data', (part: Buffer) => {
    complaint = `${complaint}${part.toString()}`.slice(-500)
  })
  const { promise, resolve } = Promise.withResolvers<Said>()
  child.once('error', (error: NodeJS.ErrnoException) =>
    resolve({
      kind: error.code === 'ENOENT' ? 'missing' : 'failed',
      says: error.code === 'ENOENT' ? `${command} is not installed` : error.message,
    }),
  )
  child.once('close', (code) =>
    resolve(
      code === 0
        ? { kind: 'said', text: Buffer.concat(parts).toString() }
        : { kind: 'failed', says: complaint.trim().split('\n').at(-1) || `${command} ended with status ${code}` },
    ),
  )
  return promise
}
