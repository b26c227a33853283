// 1,000 pod starts with traffic from the first moment, and 3,000 random clusters: the tests of the folders, that often.
process.env.PLUMB_RUNS ??= '1000'
await import('../../src/agent/egress.test.ts')
await import('../../src/egress/agreement.test.ts')
