import type { Cause } from './cause.ts'
import type { Diagnosis } from './diagnosis.ts'
import { renderControls } from './emitter.ts'
import type { Tested } from './examination.ts'
import { renderOwners } from './owners.ts'
import { findBad, type Outcome, outcomesOf, type Rung, renderOutcome, renderPlace, rungs } from './probe.ts'
import type { Trial } from './trial.ts'
import { addressText } from './words.ts'

const signs = { healthy: '✓', sick: '✗', unexplained: '?', untried: '·' } as const

const meanings: Readonly<Record<Rung, string>> = {
  loopback: 'the pod asks itself on loopback',
  pod: 'the pod asks its own address',
  'own-node': 'its node asks the pod',
  'other-node': 'another node asks the pod',
  'client-pod': 'a client pod asks the pod',
  name: 'a client pod asks for the name',
  'cluster-ip': 'clients ask the ClusterIP',
  hairpin: 'an endpoint asks its own Service',
  'node-port': 'from outside, at node ports',
  external: 'from outside, at the external address',
  gateway: 'from outside, through the gateway',
}

/** A diagnosis as text: the verdict, the causes with proof and remedy, then the ladder. */
export function renderDiagnosis(diagnosis: Diagnosis): string {
  const { kind, says, causes, tested, client, unseen, controls, emitter, owners } = diagnosis
  const lines = [`${signs[kind]} ${says}`]
  causes.slice(0, 3).forEach((cause, at) => {
    lines.push(...renderCause(cause, at, emitter))
  })
  if (causes.length === 0) lines.push(...renderEmitter(emitter))
  if (tested.length > 0) lines.push('', `Ladder${client === undefined ? '' : `, the client is pod/${client}`}`)
  for (const rung of rungs) {
    const some = tested.filter(({ probe }) => probe.rung === rung)
    if (some.length > 0) lines.push(...renderRung(rung, some))
  }
  if (owners.length > 0) lines.push('', 'On the wire: who has the external addresses', ...renderOwners(owners))
  if (controls.length > 0) lines.push('', 'Control: proxies apart from the cluster', ...renderControls(controls))
  if (unseen.length > 0) lines.push('', 'Not tried', ...foldUnseen(unseen).map((one) => `  ${one}`))
  return lines.join('\n')
}

/** The first one's words are the verdict's; who made a 5xx is told with its evidence, before the remedy. */
function renderCause(cause: Cause, at: number, emitter: Diagnosis['emitter']): string[] {
  const { object, field, value, says, proof, twin, fix, confidence } = cause
  const head =
    at === 0 ? [] : ['', `${confidence === 'possible' ? 'Perhaps' : 'Also'}: ${says} (${field} of ${object})`]
  return [
    ...head,
    `  ${confidence}${value === '' ? '' : field.startsWith('spec.containers') ? `: ${value}` : `: ${field} = ${value}`}`,
    ...proof.map((one) => `    ${one}`),
    ...(at === 0 ? renderEmitter(emitter) : []),
    ...(twin === undefined ? [] : [`    not to be taken for: ${twin}`]),
    `  fix: ${fix.says}`,
    ...(fix.patch === undefined ? [] : [`    ${patchCommand(fix.patch)}`]),
  ]
}

function renderEmitter(emitter: Diagnosis['emitter']): string[] {
  return emitter === undefined ? [] : [`  ${emitter.says}`, ...emitter.proof.map((one) => `    ${one}`)]
}

/** `kubectl patch service web -n shop --type=json -p '…'` */
function patchCommand({ kind, namespace, name, type, body }: NonNullable<Cause['fix']['patch']>): string {
  return `kubectl patch ${kind.toLowerCase()} ${name} -n ${namespace} --type=${type} -p '${JSON.stringify(body).replaceAll("'", `'\\''`)}'`
}

/** What a remedy would do, by the model. */
export function renderTrial({ fix }: Cause, trial: Trial | undefined): string {
  if (fix.patch === undefined) return `  no patch: ${fix.says}`
  const lines = [`  ${patchCommand(fix.patch)}`]
  if (trial === undefined) return lines[0]!
  lines.push(`  ${trial.helps ? '✓' : '✗'} ${trial.says}`)
  lines.push(...(trial.changes.length === 0 ? ['  nothing else changes'] : trial.changes.map((one) => `  ! ${one}`)))
  return lines.join('\n')
}

function renderRung(rung: Rung, some: readonly Tested[]): string[] {
  const bad = some.filter(({ good }) => !good)
  const tries = some.reduce((sum, { result }) => sum + result.tries.length, 0)
  const slowest = Math.max(...some.flatMap(({ result }) => result.tries.map(({ ms }) => ms)))
  const said = [
    ...new Set(some.flatMap(({ result }) => outcomesOf(result).map(({ outcome }) => renderOutcome(outcome)))),
  ]
  const head = `  ${bad.length === 0 ? '✓' : '✗'} ${rung.padEnd(10)} ${meanings[rung].padEnd(37)}`
  if (bad.length === 0) {
    const what = said.length > 2 ? `${said.length} answers` : said.join(', ')
    return [`${head} ${tries} of ${tries}: ${what}, ${Math.ceil(slowest)} ms`]
  }
  const good = tries - bad.reduce((sum, { result }) => sum + badTries(result), 0)
  const outcomes = new Set(bad.map(({ result }) => renderOutcome(findBad(result)!)))
  // What every one met, and nothing that the network did, needs no list.
  if (outcomes.size === 1 && !isNetwork(findBad(bad[0]!.result)))
    return [`${head} ${good} of ${tries}: ${[...outcomes][0]}`]
  return [
    `${head} ${good} of ${tries}`,
    ...bad.slice(0, 4).map((one) => `               ${failure(one)}`),
    ...(bad.length > 4 ? [`               … and ${bad.length - 4} more`] : []),
  ]
}

/** Whether it was decided below the application. */
function isNetwork(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && ['refused', 'unreachable', 'silence'].includes(outcome.kind)
}

function badTries(result: Tested['result']): number {
  return result.tries.filter((one) => findBad({ ...result, tries: [one] }) !== undefined).length
}

function failure({ probe, result, answer }: Tested): string {
  const outcomes = outcomesOf(result).map(
    ({ outcome, count }) => `${result.tries.length > 1 ? `${count}× ` : ''}${renderOutcome(outcome)}`,
  )
  const foretold =
    answer === undefined || !isNetwork(findBad(result))
      ? ''
      : answer.verdict.kind === 'allow'
        ? ' (the model says that it works)'
        : differs(answer)
          ? ' (the objects say that it works, the node does not)'
          : answer.verdict.kind === 'deny'
            ? ' (as the model says)'
            : ''
  return `${renderPlace(probe.from)} → ${addressText(probe)}: ${outcomes.join(', ')}${foretold}`
}

/** Whether a kernel says other than the objects on the way. */
function differs({ steps, branches }: NonNullable<Tested['answer']>): boolean {
  return [...steps, ...branches.flatMap((one) => one.steps)].some(({ observed }) => observed?.kind === 'disagrees')
}

/** Places that cannot be entered for the same reason are one line. */
function foldUnseen(unseen: readonly string[]): readonly string[] {
  const middle = ' cannot be entered: '
  const groups = Map.groupBy(unseen, (one) => (one.includes(middle) ? one.slice(one.indexOf(middle)) : one))
  return [...groups].map(([why, all]) => {
    const places = all.map((one) => one.slice(0, one.indexOf(middle)))
    if (!why.startsWith(middle)) return why
    return `${places.slice(0, 3).join(', ')}${places.length > 3 ? ` and ${places.length - 3} more` : ''}${why}`
  })
}
