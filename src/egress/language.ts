import type { Expression } from '../nft/index.ts'

export type { Chain, Expression, Operation, Rule, SetDeclaration, Statement } from '../nft/index.ts'
export { HeldTable } from '../nft/index.ts'

/** A header field, in nft's words. */
export type Field = Extract<Expression, { kind: 'payload' }>['field']
