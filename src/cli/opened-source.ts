import type { Source } from '../ui/index.ts'

/** Where the page has its answers from, and how to let that go. */
export interface OpenedSource {
  readonly source: Source
  close(): void
}
