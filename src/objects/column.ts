import type { Column } from './contract.ts'
import { renderAge } from './duration.ts'
import type { KubeObject } from './types.ts'

type Cell = string | number | boolean | null

/** A text column of `kubectl get`. */
export function text<T extends KubeObject>(
  name: string,
  description: string,
  cell: (object: T, now: Date) => Cell,
): Column {
  return { name, type: 'string', format: '', description, priority: 0, cell: cell as unknown as Column['cell'] }
}

/** A whole-number column of `kubectl get`. */
export function integer<T extends KubeObject>(name: string, description: string, cell: (object: T) => Cell): Column {
  return { name, type: 'integer', format: '', description, priority: 0, cell: cell as unknown as Column['cell'] }
}

/** The same column, shown with `-o wide` only. */
export function wide(column: Column): Column {
  return { ...column, priority: 1 }
}

/** NAME, whose format tells clients that it is the object's name. */
export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
  cell: (object) => object.metadata.name,
}

/** AGE, time since creation. */
export const ageColumn: Column = text('Age', 'Time since the object was created.', (object, now) =>
  renderAge(object.metadata.creationTimestamp, now),
)
