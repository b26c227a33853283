/** What a running lab says about itself. Namespace paths are valid inside the lab's PID namespace. */
export interface LabState {
  readonly name: string
  readonly kubeconfig: string
  readonly ready: boolean
  readonly nodes: readonly { readonly name: string; readonly addresses: readonly string[] }[]
  /** Addresses of the client beyond the router. */
  readonly outside: readonly string[]
  readonly processes: readonly {
    readonly name: string
    readonly pid?: number
    readonly restarts: number
    readonly log: string
  }[]
}
