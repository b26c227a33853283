/** When a CronJob runs: the five fields of cron(5), names of months and days, `@daily` and the like, and `@every 1h30m`. */
export interface CronSchedule {
  /** The period of `@every`, in ms. */
  readonly everyMs?: number
  /** The first time after `after` on the clock of `timeZone` (UTC when left out), both in ms since 1970; undefined for none in five years. */
  next(after: number, timeZone?: string): number | undefined
}

interface Field {
  readonly values: ReadonlySet<number>
  /** Whether it was `*` or `?`, also with a step: such a day never narrows the other field of days. */
  readonly star: boolean
}

const macros: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const ranges: readonly (readonly [low: number, high: number, names: readonly string[]])[] = [
  [0, 59, []],
  [0, 23, []],
  [1, 31, []],
  [1, 12, months],
  [0, 6, days],
]
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const horizonMs = 5 * 366 * 24 * hourMs

/** The schedule that a text describes; undefined when it describes none. */
export function parseCronSchedule(text: string): CronSchedule | undefined {
  const trimmed = text.trim()
  if (trimmed.startsWith('@every ')) return parseEvery(trimmed.slice('@every '.length))
  const words = (Object.hasOwn(macros, trimmed) ? macros[trimmed]! : trimmed).split(/\s+/)
  if (words.length !== ranges.length) return undefined
  const fields = words.map((word, index) => parseField(word, ...ranges[index]!))
  if (fields.some((field) => field === undefined)) return undefined
  return { next: (after, timeZone) => findNext(fields as Field[], after, timeZone) }
}

/** A Go duration of hours, minutes and seconds, whole seconds at least. */
function parseEvery(text: string): CronSchedule | undefined {
  const match = /^(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,9})s)?$/.exec(text.trim())
  const [hours = 0, minutes = 0, seconds = 0] = (match?.slice(1) ?? []).map((part) => Number(part ?? 0))
  const ms = ((hours * 60 + minutes) * 60 + seconds) * 1000
  return ms === 0 ? undefined : { everyMs: ms, next: (after) => after - (after % 1000) + ms }
}

function parseField(word: string, low: number, high: number, names: readonly string[]): Field | undefined {
  const values = new Set<number>()
  let star = false
  for (const part of word.split(',')) {
    const match = /^(\*|\?|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part)
    if (match === null) return undefined
    const [, span, first, last, stepText] = match
    const step = stepText === undefined ? 1 : Number(stepText)
    const isStar = span === '*' || span === '?'
    star ||= isStar
    const from = isStar ? low : numberOf(first!, low, names)
    // `5/15` means from 5 to the end.
    const to = isStar || (last === undefined && stepText !== undefined) ? high : numberOf(last ?? first!, low, names)
    if (from === undefined || to === undefined || from < low || to > high || from > to || step < 1) return undefined
    for (let value = from; value <= to; value += step) values.add(value)
  }
  return { values, star }
}

function numberOf(text: string, low: number, names: readonly string[]): number | undefined {
  const index = names.indexOf(text.toLowerCase())
  if (index >= 0) return index + low
  return /^\d{1,4}$/.test(text) ? Number(text) : undefined
}

function findNext(fields: readonly Field[], after: number, timeZone: string | undefined): number | undefined {
  const offsetAt = timeZone === undefined ? () => 0 : zoneOffset(timeZone)
  const end = after + horizonMs
  let time = Math.floor(after / minuteMs) * minuteMs + minuteMs
  while (time < end) {
    // The clock on the wall, as if it showed UTC.
    const wall = time + offsetAt(time)
    const distance = skip(fields, wall) - wall
    if (distance === 0) return time
    // Clocks may change on the way: the last hours are walked one by one, as Go's cron does, so that an hour that comes twice counts twice.
    time += distance > 3 * hourMs ? distance - 2 * hourMs : Math.min(distance, hourMs - (wall % hourMs))
  }
  return undefined
}

/** `wall` when it matches, otherwise the next time at which it may: the coarsest field that does not match moves on. */
function skip([minutes, hours, monthDays, monthsOfYear, weekDays]: readonly Field[], wall: number): number {
  const date = new Date(wall)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  if (!monthsOfYear!.values.has(month + 1)) return Date.UTC(year, month + 1)
  const [inMonth, inWeek] = [monthDays!.values.has(day), weekDays!.values.has(date.getUTCDay())]
  const isDay = monthDays!.star || weekDays!.star ? inMonth && inWeek : inMonth || inWeek
  if (!isDay) return Date.UTC(year, month, day + 1)
  if (!hours!.values.has(date.getUTCHours())) return wall - (wall % hourMs) + hourMs
  return minutes!.values.has(date.getUTCMinutes()) ? wall : wall + minuteMs
}

/** What a time zone's clocks are ahead of UTC at a time, in ms. */
function zoneOffset(timeZone: string): (time: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return (time) => {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(time / 1000) * 1000
  }
}

/** Whether this machine knows the time zone, by its name in the IANA database. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}
