export type { Chain, Element, Operation, Rule, SetDeclaration, Statement, TableFamily } from '../nft/index.ts'
