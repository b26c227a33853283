// Gateways: a thousand edits of routes under load, of which clients that try nothing again notice none.
process.env.PLUMB_EDITS ??= '1000'
await import('../../src/proxy/reloads.test.ts')
