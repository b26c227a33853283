/** The kubelet says no to a request; `status` is the HTTP status. */
export class KubeletRefusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}
