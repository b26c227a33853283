export { cleanUp, NodePlan, type NodePlanOptions, nothing, type Round } from './node-plan.ts'
