// Policies: model = trace, and model = real packets, on 2,000 random clusters instead of a hundred.
process.env.PLUMB_RUNS ??= '2000'
await import('../../src/policies/agreement.test.ts')
await import('../../src/policies/packets.test.ts')
