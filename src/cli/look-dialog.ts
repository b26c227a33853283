import { gunzipSync, gzipSync } from 'node:zlib'
import type { ApiAccess, Capsule, SavedSubject } from '../doctor/index.ts'
import type { Answer, ClusterFacts, Evidence, Observation } from '../explain/index.ts'

/** What an agent's pod is asked; of `open` all later questions are. */
export type Look =
  | { readonly kind: 'open'; readonly node: string; readonly capsule: Capsule }
  | { readonly kind: 'evidence'; readonly observations: readonly Observation[] }
  | { readonly kind: 'collect'; readonly subject: SavedSubject; readonly facts: ClusterFacts }
  | { readonly kind: 'probe'; readonly answer: Answer }
  | { readonly kind: 'agent'; readonly path: string; readonly body: unknown; readonly timeoutMs: number }
  | { readonly kind: 'api' }

/** What each is answered with. */
export interface LookAnswers {
  readonly open: null
  /** In the order of the observations. */
  readonly evidence: readonly Evidence[]
  readonly collect: SavedSubject | null
  /** With what the packet met, or why none was sent. */
  readonly probe: Answer | string
  /** HTTP status and JSON of the agent's socket. */
  readonly agent: { readonly status: number; readonly answer: unknown }
  readonly api: ApiAccess
}

/** A line of the dialog: JSON, gzipped because objects repeat themselves, in base64. */
export function encodeLine(value: unknown): string {
  return `${gzipSync(JSON.stringify(value)).toString('base64')}\n`
}

export function decodeLine(line: string): unknown {
  return JSON.parse(gunzipSync(Buffer.from(line, 'base64')).toString())
}
