import type { Status } from '../objects/index.ts'

/** The request is refused; its Status is the answer. */
export class Refusal extends Error {
  readonly status: Status
  constructor(status: Status) {
    super(status.message ?? status.reason ?? 'refused')
    this.name = 'Refusal'
    this.status = status
  }
}
