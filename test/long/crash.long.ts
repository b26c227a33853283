// The API server is killed a hundred times in a storm of writes, instead of five times.
process.env.PLUMB_ROUNDS ??= '100'
await import('../../src/apiserver/crash.test.ts')
