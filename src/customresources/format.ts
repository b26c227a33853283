import { familyOf, findAddress } from '../addr/index.ts'

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const dateTime = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/
const duration = /^(?:[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/
const hostname = /^(?=.{1,255}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})(?:\.[a-zA-Z0-9][a-zA-Z0-9-]{0,62})*\.?$/

// A map, not an object: a format named "constructor" must find nothing.
const tests = new Map<string, (text: string) => boolean>([
  ['byte', (text) => base64.test(text)],
  ['uuid', (text) => uuid.test(text)],
  ['date-time', (text) => dateTime.test(text) && !Number.isNaN(Date.parse(text.replace(' ', 'T')))],
  ['datetime', (text) => dateTime.test(text)],
  ['date', (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))],
  ['duration', (text) => duration.test(text) || text === '0'],
  ['email', (text) => /^[^@\s]{1,64}@[^@\s]{1,255}$/.test(text)],
  ['hostname', (text) => hostname.test(text)],
  ['ipv4', (text) => isIPv4(text)],
  ['ipv6', (text) => isIPv6(text)],
  ['cidr', isCidr],
  ['uri', (text) => URL.canParse(text)],
  ['mac', (text) => /^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}$/i.test(text)],
])

/** Whether a text has a format of OpenAPI, as far as Kubernetes checks it; formats that are not known are never wrong. */
export function isFormat(format: string, text: string): boolean {
  return tests.get(format)?.(text) ?? true
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/')
  if (more.length > 0 || !/^\d{1,3}$/.test(bits)) return false
  return (isIPv4(address) && Number(bits) <= 32) || (isIPv6(address) && Number(bits) <= 128)
}

function isIPv4(text: string): boolean {
  const address = findAddress(text)
  return address !== undefined && familyOf(address) === 4
}

function isIPv6(text: string): boolean {
  const address = findAddress(text)
  return address !== undefined && familyOf(address) === 6
}
