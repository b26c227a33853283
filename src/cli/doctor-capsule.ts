import { readFileSync, writeFileSync } from 'node:fs'
import { type Capsule, type Diagnosis, diagnose, openCapsule, readCapsule, saveCapsule } from '../doctor/index.ts'

/** Writes what the doctor looked at into one file, for its owner alone; answers how large it is in bytes. */
export function writeCapsule(
  path: string,
  diagnoses: readonly Diagnosis[],
  more: Pick<Capsule, 'gateways'> = {},
): number | undefined {
  const collected = diagnoses.flatMap(({ examination }) => examination ?? [])
  const [first] = collected
  if (first === undefined) return undefined
  const capsule = saveCapsule(first.snapshot, first.facts, collected, new Date().toISOString())
  const text = JSON.stringify({ ...capsule, ...more })
  writeFileSync(path, text, { mode: 0o600 })
  return text.length
}

/** A capsule out of a file; throws with the file's name and what is wrong. */
export function loadCapsule(path: string): Capsule {
  const capsule = readCapsule(readFileSync(path, 'utf8'))
  if (typeof capsule === 'string') throw new Error(`${path} ${capsule}`)
  return capsule
}

/** Judges a capsule again; `service` (`namespace/name`) asks for one Service alone. */
export function diagnoseCapsule(capsule: Capsule, service: string | undefined): readonly Diagnosis[] | string {
  const diagnoses = openCapsule(capsule)
    .filter(
      ({ subject }) =>
        service === undefined || service === `${subject.service.metadata.namespace}/${subject.service.metadata.name}`,
    )
    .map(diagnose)
  if (diagnoses.length > 0) return diagnoses
  const there = [...new Set(capsule.subjects.map((one) => one.service))]
  return `the capsule has no probes of ${service ?? 'any Service'}${there.length > 0 ? `; it has ${there.join(', ')}` : ''}`
}
