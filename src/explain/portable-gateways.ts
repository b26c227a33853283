import type { GatewayModel } from '../gateways/index.ts'

type Action = GatewayModel['entrances'][number]['tiers'][number]['rules'][number]['action']
type Filter = Action['filters'][number]

/**
 * The model without what is secret, for whoever may not see Secrets: certificates without their keys, lists of users without users, headers without
 * values. Questions are answered as before.
 */
export function withoutSecrets(model: GatewayModel): GatewayModel {
  return {
    ...model,
    certificates: model.certificates.map((one) => ({ ...one, pem: publicPart(one.pem) })),
    userLists: model.userLists.map((list) => ({ ...list, users: [] })),
    entrances: model.entrances.map((entrance) => ({
      ...entrance,
      tiers: entrance.tiers.map((tier) => ({
        ...tier,
        rules: tier.rules.map((rule) => ({ ...rule, action: withoutValues(rule.action) })),
      })),
    })),
  }
}

function publicPart(pem: string): string {
  return (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).join('\n')
}

function withoutValues(action: Action): Action {
  return {
    ...action,
    filters: action.filters.map(filterWithoutValues),
    targets: action.targets.map((target) => ({ ...target, filters: target.filters.map(filterWithoutValues) })),
  }
}

function filterWithoutValues(filter: Filter): Filter {
  if (filter.kind !== 'request-headers' && filter.kind !== 'response-headers') return filter
  const { set, add, remove } = filter.change
  const named = (list: typeof set): typeof set => list.map(([name]) => [name, '(left out)'])
  return { ...filter, change: { set: named(set), add: named(add), remove } }
}
