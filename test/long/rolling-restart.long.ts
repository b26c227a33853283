// A rolling restart of 1,000 endpoints under load instead of 100.
process.env.PLUMB_ENDPOINTS ??= '1000'
await import('../../src/agent/rolling.test.ts')
