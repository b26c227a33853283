export { cleanUp } from './clean-up.ts'
export { NodePlan } from './node-plan.ts'
export { nothing, type Round } from './round.ts'
