// Where every process of this program begins. JavaScript, so that whatever was compiled before starts without the compiler for TypeScript.

import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Beside the packages, because whatever is in the temporary folder would outlive the lab and the checkout.
enableCompileCache(join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'compile'))

await import('./main.ts')
