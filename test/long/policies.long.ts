// Policies: model = trace on 2,000 random clusters instead of a hundred.
process.env.PLUMB_RUNS ??= '2000'
await import('../../src/policies/agreement.test.ts')
