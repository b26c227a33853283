/** One measured figure. */
export interface Row {
  readonly bench: string
  readonly metric: string
  readonly value: number
  readonly unit: string
  /** What the same run measured beside it, and `value / peer's value`. */
  readonly peer?: string
  readonly ratio?: number
}
