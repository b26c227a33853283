// Informers of the official client through 10,000 writes instead of 800.
process.env.PLUMB_CHURN ??= '10000'
await import('../../src/apiserver/informer-churn.test.ts')
