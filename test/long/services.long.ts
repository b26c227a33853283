// Services: the kernel does with real packets what the model explains, after each of many random changes.
process.env.PLUMB_RUNS ??= '60'
await import('../../src/agent/random.test.ts')
