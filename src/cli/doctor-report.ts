import { setTimeout as pause } from 'node:timers/promises'
import { type Diagnosis, renderDiagnosis, renderTrial, tryFix } from '../doctor/index.ts'
import { exit, print } from './output.ts'

/** How diagnoses are told. */
export interface ReportOptions {
  /** With the remedy, as a patch, and what it would do. */
  fix: boolean
  output: 'text' | 'json'
}

/** Prints what the doctor found and sets the exit status: the worst of all. */
export function report(diagnoses: readonly Diagnosis[], options: ReportOptions): void {
  if (options.output === 'json')
    print(
      JSON.stringify(
        { schema: 'plumb.network/doctor/v1', diagnoses: diagnoses.map((one) => asData(one, options)) },
        null,
        2,
      ),
    )
  else print(diagnoses.map((one) => renderDiagnosis(one) + remedy(one, options)).join('\n\n'))
  process.exitCode = statusOf(diagnoses)
}

function statusOf(diagnoses: readonly Diagnosis[]): number {
  if (diagnoses.some(({ kind }) => kind === 'sick')) return exit.found
  if (diagnoses.some(({ kind }) => kind === 'unexplained')) return exit.unhealthy
  // Never well where something was not tried.
  return diagnoses.some(({ unseen }) => unseen.length > 0) ? exit.cannot : exit.ok
}

const watchMs = 5000

/** Looks again and again, and tells what changed, with the time; ends when it is told to. */
export async function watchDiagnoses(
  look: () => Promise<readonly Diagnosis[] | undefined>,
  options: ReportOptions,
): Promise<void> {
  const before = new Map<string, string>()
  let stopped = false
  process.once('SIGINT', () => {
    stopped = true
  })
  for (let first = true; !stopped; first = false) {
    const found = (await look()) ?? []
    if (first) report(found, options)
    for (const { subject, kind, says } of found) {
      const known = before.get(subject)
      before.set(subject, `${kind} ${says}`)
      if (known !== undefined && known !== `${kind} ${says}`) print(`${new Date().toISOString()}  ${kind}: ${says}`)
    }
    for (const end = Date.now() + watchMs; Date.now() < end && !stopped; ) await pause(100)
  }
}

function remedy({ causes, examination }: Diagnosis, { fix }: ReportOptions): string {
  const [first] = causes
  if (!fix || first === undefined) return ''
  return `\n\nThe remedy\n${renderTrial(first, examination && tryFix(examination, first))}`
}

function asData(diagnosis: Diagnosis, { fix }: ReportOptions): unknown {
  const { subject, kind, says, causes, emitter, firstFailing, unseen, client, tested, controls, owners, examination } =
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
    owners,
    nodes: examination?.nodes,
  }
}
