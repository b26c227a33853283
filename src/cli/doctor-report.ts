import { type Diagnosis, renderDiagnosis, renderTrial, tryFix } from '../doctor/index.ts'
import type { DoctorOptions } from './doctor.ts'
import { exit, print } from './output.ts'
import type { Cluster } from './read-cluster.ts'

/** Prints what the doctor found and sets the exit status: the worst of all ports. */
export function reportDiagnoses(cluster: Cluster, diagnoses: readonly Diagnosis[], options: DoctorOptions): void {
  if (options.output === 'json')
    print(
      JSON.stringify(
        { schema: 'plumb.network/doctor/v1', diagnoses: diagnoses.map((one) => asData(one, options)) },
        null,
        2,
      ),
    )
  else print(diagnoses.map((one) => renderDiagnosis(one) + remedy(one, options)).join('\n\n'))
  process.exitCode = statusOf(diagnoses, cluster)
}

function statusOf(diagnoses: readonly Diagnosis[], { lab }: Cluster): number {
  if (diagnoses.some(({ kind }) => kind === 'sick')) return exit.found
  if (diagnoses.some(({ kind }) => kind === 'unexplained')) return exit.unhealthy
  // Never well where nothing was tried.
  return lab === undefined || diagnoses.some(({ unseen }) => unseen.length > 0) ? exit.cannot : exit.ok
}

function remedy({ causes, examination }: Diagnosis, { fix }: DoctorOptions): string {
  const [first] = causes
  if (!fix || first === undefined) return ''
  return `\n\nThe remedy\n${renderTrial(first, examination && tryFix(examination, first))}`
}

function asData(diagnosis: Diagnosis, { fix }: DoctorOptions): unknown {
  const { subject, kind, says, causes, emitter, firstFailing, unseen, client, tested, controls, examination } =
    diagnosis
  return {
    subject,
    kind,
    says,
    causes:
      fix && examination !== undefined ? causes.map((one) => ({ ...one, trial: tryFix(examination, one) })) : causes,
    emitter,
    firstFailing,
    unseen,
    client,
    probes: tested.map(({ result, answer }) => ({ ...result, model: answer?.verdict })),
    controls,
    nodes: examination?.nodes,
  }
}
