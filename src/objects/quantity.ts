const scales: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** The value of a quantity (`500m`, `64Mi`, `1e3`, `2`), to the precision of a double; NaN for text that is none. */
export function quantityValue(text: unknown): number {
  const [, number = '', suffix = ''] = /^([+-]?(?:\d+\.?\d*|\.\d+))([a-zA-Z]*|[eE][+-]?\d+)$/.exec(String(text)) ?? []
  if (number === '') return Number.NaN
  const scale = scales[suffix] ?? Number(`1${suffix}`)
  return Number(number) * scale
}
