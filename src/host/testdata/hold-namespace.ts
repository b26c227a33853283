import { openHost } from '../index.ts'

// Makes a namespace with a link, tells its inode and waits to be killed.
const namespace = openHost().createNamespace()
namespace.network.addVeth({ name: 'a', peerName: 'b' })
process.send?.(String(namespace.inode))
setInterval(() => {}, 1 << 30)
