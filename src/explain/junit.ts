import { nameOf } from './assertion.ts'
import type { CheckResult } from './check.ts'

/** The results as JUnit XML, which CI systems read. */
export function renderJunit(results: readonly CheckResult[]): string {
  const failed = results.filter(({ outcome }) => outcome === 'failed').length
  const broken = results.filter(({ outcome }) => outcome === 'broken').length
  const cases = results.map(({ assertion, outcome, says }) => {
    const head = `    <testcase classname="plumb.check" name="${escapeXml(nameOf(assertion))}"`
    if (outcome === 'passed') return `${head}/>`
    const tag = outcome === 'failed' ? 'failure' : 'error'
    return `${head}>\n      <${tag} message="${escapeXml(says)}"/>\n    </testcase>`
  })
  const counts = `tests="${results.length}" failures="${failed}" errors="${broken}"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="plumb check" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

/** Control characters cannot be in XML 1.0 at all. */
function escapeXml(text: string): string {
  const named = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' } as const
  return text
    .replaceAll(/[&<>"]/g, (sign) => named[sign as keyof typeof named])
    .replaceAll(/[\p{Cc}\uFFFE\uFFFF]/gu, ' ')
}
