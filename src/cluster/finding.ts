/** Where a statement of a model comes from. */
export interface Because {
  /** Kind and key: `service/shop/web`, `node/node-2`. */
  readonly object: string
  /** `spec.ports[0]` */
  readonly field: string
  readonly value: string
}

/** A mistake (or a limit) in an object, told in status and commands and never thrown. */
export interface Finding {
  /** CamelCase, stable: tools branch on it. */
  readonly code: string
  readonly object: string
  readonly field: string
  /** What is wrong, with the value. */
  readonly says: string
  /** What to do about it. */
  readonly try: string
}
