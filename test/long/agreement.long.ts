// 10,000 random questions in a hundred random clusters: explained, traced and sent.
process.env.PLUMB_RUNS ??= '100'
await import('../agreement.test.ts')
