import type { Chain, Rule, Statement } from './language.ts'

/**
 * Where ports of the node answer at 127.0.0.1 from elsewhere, the kernel no longer refuses packets of the wire that pretend to be of
 * loopback (`route_localnet`; CVE-2020-8558). Before replies are translated back, none has a business there.
 */
export function loopbackGuard(): Chain {
  const wire: Statement = { kind: 'match', left: { kind: 'meta', key: 'iifname' }, operator: '!=', right: '"lo"' }
  const pretends = (field: 'ip saddr' | 'ip daddr'): Rule => ({
    comment: 'loopback is not on the wire',
    statements: [
      wire,
      { kind: 'match', left: { kind: 'payload', field }, operator: '==', right: '127.0.0.0/8' },
      { kind: 'verdict', verdict: { kind: 'drop' } },
    ],
  })
  return {
    name: 'loopback-guard',
    hook: { type: 'filter', hook: 'prerouting', priority: -110, policy: 'accept' },
    rules: [pretends('ip saddr'), pretends('ip daddr')],
  }
}
