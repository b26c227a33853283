// Cuts that are shorter and longer than the time after which they are noticed.
process.env.PLUMB_CUTS ??= '5,10,14,20,30,60'
await import('../api-cut.test.ts')
