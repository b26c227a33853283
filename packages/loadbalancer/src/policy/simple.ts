import { firstWarm, type Policy } from './policy.ts'

/** One after the other. */
export const roundRobin: Policy = {
  name: 'round-robin',
  pick: (view, _request, context) => firstWarm(view.endpoints, context.sequence % view.endpoints.length, context),
  because: (view, picked) => `its turn: number ${picked + 1} of ${view.endpoints.length}`,
}

/** Any, all the same. */
export const random: Policy = {
  name: 'random',
  pick: (view, _request, context) => firstWarm(view.endpoints, context.random.int(view.endpoints.length), context),
  because: (view) => `by chance, one of ${view.endpoints.length}`,
}
