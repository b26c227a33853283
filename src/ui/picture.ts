import type { Because, Finding } from '../cluster/index.ts'

/** The columns of the picture, from outside to outside. */
export const rungs = ['address', 'entry', 'service', 'workload', 'exit'] as const
export type Rung = (typeof rungs)[number]

/** `ignored`: another's work, as a headless Service or a class of another controller. */
export type Look = 'serves' | 'partly' | 'refuses' | 'ignored'

/** One thing of the picture. */
export interface Box {
  /** `service/shop/web`, `address/203.0.113.7`, `deployment/shop/web`: unique. */
  readonly id: string
  readonly rung: Rung
  /** `Service`, `Gateway`, `Deployment`, … */
  readonly kind: string
  /** Empty for what has none. */
  readonly namespace: string
  readonly name: string
  /** What is read at a glance, a line each. */
  readonly lines: readonly string[]
  readonly look: Look
  /** What is wrong with it, empty when nothing is. */
  readonly says: string
  readonly because?: Because
  /** Workloads alone. */
  readonly pods?: readonly PodLine[]
}

/** A pod of a workload, or an address that no pod has. */
export interface PodLine {
  readonly name: string
  readonly node: string
  readonly ready: boolean
  /** Why it is not ready. */
  readonly says: string
}

/** `near`: the selector just misses the pods. */
export interface Edge {
  readonly from: string
  readonly to: string
  readonly look: Look | 'near'
  readonly says: string
}

/** The ways in and out of a cluster. */
export interface Picture {
  readonly schema: 'plumb.network/picture/v1'
  readonly namespaces: readonly string[]
  readonly boxes: readonly Box[]
  readonly edges: readonly Edge[]
  /** Mistakes and limits in the objects that are drawn. */
  readonly findings: readonly Finding[]
}

/** Boxes and edges by what they are about; what is told twice is kept as the worse of the two. */
export class Drawing {
  readonly #boxes = new Map<string, Box>()
  readonly #edges = new Map<string, Edge>()
  readonly #findings: Finding[] = []

  box(box: Box): void {
    this.#boxes.set(box.id, box)
  }

  has(id: string): boolean {
    return this.#boxes.has(id)
  }

  edge(edge: Edge): void {
    const id = `${edge.from} ${edge.to}`
    const known = this.#edges.get(id)
    if (known === undefined) this.#edges.set(id, edge)
    else {
      const says = [...new Set([known.says, edge.says])].filter((one) => one !== '').join('; ')
      this.#edges.set(id, { ...known, look: worse(known.look, edge.look), says })
    }
  }

  note(findings: readonly Finding[]): void {
    this.#findings.push(...findings)
  }

  /** Edges to what is not drawn are left out. */
  finish(): Picture {
    const boxes = [...this.#boxes.values()]
    return {
      schema: 'plumb.network/picture/v1',
      namespaces: [...new Set(boxes.flatMap(({ namespace }) => (namespace === '' ? [] : [namespace])))].sort(),
      boxes,
      edges: [...this.#edges.values()].filter(({ from, to }) => this.has(from) && this.has(to)),
      findings: this.#findings,
    }
  }
}

const order: readonly Edge['look'][] = ['near', 'ignored', 'serves', 'partly', 'refuses']

function worse(a: Edge['look'], b: Edge['look']): Edge['look'] {
  return order.indexOf(a) > order.indexOf(b) ? a : b
}
