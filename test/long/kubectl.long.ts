// Every version of kubectl on this machine, instead of the oldest and the newest.
process.env.PLUMB_KUBECTLS ??= 'all'
await import('../../src/apiserver/kubectl-versions.test.ts')
await import('../kubectl.test.ts')
