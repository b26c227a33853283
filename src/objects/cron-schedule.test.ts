import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCronSchedule } from './cron-schedule.ts'

/** The next times as ISO text without seconds. */
function times(schedule: string, after: string, count: number, timeZone?: string): string[] {
  const parsed = parseCronSchedule(schedule)
  assert.ok(parsed, schedule)
  const found: string[] = []
  for (let time = Date.parse(after), i = 0; i < count; i++) {
    const next = parsed.next(time, timeZone)
    if (next === undefined) break
    found.push(new Date(next).toISOString().slice(0, 16))
    time = next
  }
  return found
}

test('fields, lists, ranges, steps, names and macros', () => {
  assert.deepEqual(times('*/20 9-10 * * MON-FRI', '2026-01-02T10:15:00Z', 3), [
    '2026-01-02T10:20',
    '2026-01-02T10:40',
    '2026-01-05T09:00',
  ])
  assert.deepEqual(times('5/25,59 0 * * *', '2026-01-01T00:00:00Z', 4), [
    '2026-01-01T00:05',
    '2026-01-01T00:30',
    '2026-01-01T00:55',
    '2026-01-01T00:59',
  ])
  assert.deepEqual(times('@monthly', '2026-11-30T00:00:00Z', 2), ['2026-12-01T00:00', '2027-01-01T00:00'])
  assert.deepEqual(times('0 0 29 feb *', '2026-01-01T00:00:00Z', 1), ['2028-02-29T00:00'])
  assert.deepEqual(times('@every 1m30s', '2026-01-01T00:00:00.400Z', 2), ['2026-01-01T00:01', '2026-01-01T00:03'])
})

test('days of the month and of the week widen each other unless one is a star', () => {
  assert.deepEqual(times('0 0 13 * FRI', '2026-03-06T12:00:00Z', 2), ['2026-03-13T00:00', '2026-03-20T00:00'])
  assert.deepEqual(times('0 0 1 * FRI', '2026-03-28T12:00:00Z', 2), ['2026-04-01T00:00', '2026-04-03T00:00'])
  assert.deepEqual(times('0 0 */2 * FRI', '2026-03-01T12:00:00Z', 1), ['2026-03-13T00:00'])
})

test('time zones: the hour that is leapt over does not come, the one that comes twice counts twice, as upstream', () => {
  assert.deepEqual(times('30 2 * * *', '2026-03-28T00:00:00Z', 2, 'Europe/Berlin'), [
    '2026-03-28T01:30',
    '2026-03-30T00:30',
  ])
  assert.deepEqual(times('30 2 * * *', '2026-10-24T12:00:00Z', 2, 'Europe/Berlin'), [
    '2026-10-25T00:30',
    '2026-10-25T01:30',
  ])
  assert.deepEqual(times('0 9 * * *', '2026-06-01T00:00:00Z', 1, 'Asia/Kolkata'), ['2026-06-01T03:30'])
})

test('what is no schedule, and one that never comes', () => {
  for (const text of [
    '',
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '* * 0 * *',
    '5-1 * * * *',
    '*/0 * * * *',
    'x * * * *',
  ])
    assert.equal(parseCronSchedule(text), undefined, text)
  for (const text of ['@every 0s', '@every x', '@reboot', '* * * * 7', '1,,2 * * * *'])
    assert.equal(parseCronSchedule(text), undefined, text)
  assert.deepEqual(times('0 0 31 2 *', '2026-01-01T00:00:00Z', 1), [])
})
