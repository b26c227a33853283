import type { FieldError } from './contract.ts'
import { isTimeZone, parseCronSchedule } from './cron-schedule.ts'
import { invalid, nonNegative, notSupported, required } from './field-error.ts'
import type { CronJob } from './types.ts'
import { validateTemplate } from './validate-workload.ts'

/** The hash and the dash that a Job's name adds to its CronJob's must fit a label. */
const nameLimit = 52

/** Upstream's `ValidateCronJob`. */
export function validateCronJob({ metadata, spec }: CronJob): FieldError[] {
  if (spec === undefined) return [required('spec.schedule'), required('spec.jobTemplate')]
  const errors: FieldError[] = []
  const { schedule = '', timeZone, concurrencyPolicy = 'Allow' } = spec
  if (metadata.name.length > nameLimit)
    errors.push(invalid('metadata.name', metadata.name, `must be no more than ${nameLimit} characters`))
  if (schedule === '') errors.push(required('spec.schedule'))
  else if (/TZ/.test(schedule))
    errors.push(invalid('spec.schedule', schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'))
  else if (parseCronSchedule(schedule) === undefined)
    errors.push(invalid('spec.schedule', schedule, 'expected five fields of cron, a macro such as @daily, or @every'))
  if (timeZone !== undefined && (timeZone.toLowerCase() === 'local' || !isTimeZone(timeZone)))
    errors.push(invalid('spec.timeZone', timeZone, `unknown time zone ${timeZone}`))
  if (!['Allow', 'Forbid', 'Replace'].includes(concurrencyPolicy))
    errors.push(notSupported('spec.concurrencyPolicy', concurrencyPolicy, ['Allow', 'Forbid', 'Replace']))
  for (const name of ['startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit'] as const)
    errors.push(...nonNegative(`spec.${name}`, spec[name]))
  return [...errors, ...validateJobTemplate(spec)]
}

function validateJobTemplate({ jobTemplate }: NonNullable<CronJob['spec']>): FieldError[] {
  const path = 'spec.jobTemplate.'
  const template = jobTemplate?.spec?.template
  if (template === undefined) return [required(`${path}spec.template`)]
  const policy = template.spec?.restartPolicy ?? ''
  const field = `${path}spec.template.spec.restartPolicy`
  const errors = validateTemplate(template, undefined).map((error) => ({
    ...error,
    field: `${path}${error.field}`,
  }))
  if (policy === '' || policy === 'Always') errors.push(required(field, 'valid values: "OnFailure", "Never"'))
  else if (policy !== 'OnFailure' && policy !== 'Never')
    errors.push(notSupported(field, policy, ['OnFailure', 'Never']))
  return errors
}
