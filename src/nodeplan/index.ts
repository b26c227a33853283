export { cleanUp, NodePlan, nothing, type Round } from './node-plan.ts'
