export { execIn, findPlace, findPlaceHere } from './exec-in.ts'
export { down, findLab, type Lab, listLabs } from './lab.ts'

export { readManifestPaths } from './manifest-files.ts'
export type { LabSummary } from './summary.ts'
export { runSupervisor } from './supervisor.ts'
export { LabFailure, up } from './up.ts'
