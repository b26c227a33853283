import type { Row } from '../row.ts'

export function row(metric: string, value: number, unit: string, peer?: string, ratio?: number): Row {
  return {
    bench: 'gateway',
    metric,
    value,
    unit,
    ...(peer !== undefined && { peer }),
    ...(ratio !== undefined && { ratio }),
  }
}

export function median(all: readonly number[]): number {
  return percentile(all, 50)
}

export function percentile(all: readonly number[], share: number): number {
  const sorted = all.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * share) / 100))] ?? Number.NaN
}
