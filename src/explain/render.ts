import type { Because } from '../cluster/index.ts'
import type { Answer, Branch, End, Question, Step } from './answer.ts'
import { renderProbed } from './followed.ts'

const signs = { allow: '✓', deny: '✗', pass: '→' } as const
const marks = { agrees: '✓', disagrees: '✗', unseen: '·' } as const

/** The answer as text, the verdict first. Ways that differ in nothing but the endpoint are still listed one by one, up to `limit`. */
export function renderAnswer(answer: Answer, limit = 8): string {
  const { question, verdict } = answer
  const lines = [
    `${signs[verdict.kind]} ${renderQuestion(question)}: ${verdict.says}`,
    ...because('  ', verdict.because),
  ]
  const wrong = disagreements(answer)
  if (answer.probed?.kind === 'disagrees') wrong.unshift(`the wire: ${answer.probed.says}`)
  if (wrong.length > 0) lines.push('', 'Where the lanes disagree', ...wrong.map((says) => `  ✗ ${says}`))
  lines.push('', ...answer.steps.flatMap((step) => renderStep(step, '  ')))
  for (const one of answer.branches.slice(0, limit)) lines.push('', ...renderBranch(one))
  if (answer.branches.length > limit)
    lines.push('', `  … and ${answer.branches.length - limit} more endpoints (-o json has them all)`)
  if (answer.probed !== undefined) lines.push('', ...renderProbed(answer.probed))
  if (answer.assumptions.length > 0) lines.push('', 'Taken for granted', ...answer.assumptions.map((one) => `  ${one}`))
  for (const finding of answer.findings) {
    lines.push('', `! ${finding.object} ${finding.field}: ${finding.says}`, `  try: ${finding.try}`)
  }
  return lines.join('\n')
}

/** `pod/shop/client → svc/shop/web:80/tcp` */
export function renderQuestion({ from, to, port, transport }: Question): string {
  if (to.kind === 'name') return `${renderEnd(from)} → ${to.name}`
  return `${renderEnd(from)} → ${renderEnd(to)}${port === undefined ? '' : `:${port}`}/${transport}`
}

/** `pod/shop/client`, as it is typed. */
export function renderEnd(end: End): string {
  switch (end.kind) {
    case 'pod':
      return `pod/${end.namespace}/${end.name}`
    case 'service':
      return `svc/${end.namespace}/${end.name}`
    case 'node':
      return `node/${end.name}`
    case 'address':
      return end.address
    case 'name':
      return end.name
    default:
      return end satisfies never
  }
}

function renderBranch({ endpoint, share, verdict, steps }: Branch): string[] {
  const who = endpoint.pod === undefined ? '' : `pod/${endpoint.pod}`
  const where = endpoint.node === undefined ? '' : ` on ${endpoint.node}`
  const part = share.of === 1 ? '' : `, ${share.one} of ${share.of} connections`
  return [
    `  ${signs[verdict.kind]} ${endpoint.address}:${endpoint.port} ${who}${where}${part}`,
    ...steps.flatMap((step) => renderStep(step, '    ')),
  ]
}

function renderStep(step: Step, indent: string): string[] {
  const { observed } = step
  const lines = [`${indent}${step.stage.padEnd(9)} ${step.says}`, ...because(`${indent}          `, step.because)]
  if (observed !== undefined) lines.push(`${indent}          ${marks[observed.kind]} ${observed.says}`)
  return lines
}

function because(indent: string, reason: Because | undefined): string[] {
  if (reason === undefined) return []
  return [`${indent}↳ ${reason.object} ${reason.field}${reason.value === '' ? '' : ` = ${reason.value}`}`]
}

function disagreements(answer: Answer): string[] {
  const all = [...answer.steps, ...answer.branches.flatMap((one) => one.steps)]
  return [
    ...new Set(
      all.flatMap(({ observed, node }) =>
        observed?.kind === 'disagrees' ? [`${node === undefined ? '' : `${node}: `}${observed.says}`] : [],
      ),
    ),
  ]
}
