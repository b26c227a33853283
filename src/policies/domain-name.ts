/** One or more labels and a last one, as the CRD's pattern says; `*.` in front stands for one or more labels. */
const pattern = /^(\*\.)?([a-z0-9]([-a-z0-9_]*[a-z0-9])?\.)+[a-z0-9]([-a-z0-9_]*[a-z0-9])?$/

/** A name of `domainNames` in the form in which names are compared: lower case, without the last dot. Undefined when it is none. */
export function findDomainName(text: string): string | undefined {
  const name = normalName(text)
  return name.length <= 253 && pattern.test(name) ? name : undefined
}

/** A name as DNS compares it (RFC 4343). */
export function normalName(text: string): string {
  return text.toLowerCase().replace(/\.$/, '')
}

/** Whether a domain name of a policy means a name that was asked: `*.x` is whatever is below x, and not x (NPEP-133). */
export function meansName(domain: string, asked: string): boolean {
  return domain.startsWith('*.')
    ? asked.endsWith(domain.slice(1)) && asked.length > domain.length - 1
    : asked === domain
}
