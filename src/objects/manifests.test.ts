import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { checkFields, findKindOf, type KubeObject } from './index.ts'
import { judged } from './judge.fixture.ts'

const here = import.meta.dirname
const root = join(here, '../..')
// Public applications as their authors publish them lie beside the checkout, where there are any.
const shared = process.env.PLUMB_MANIFESTS ?? join(root, '../shared/manifests')
const own = ['testdata/*.yaml', '../../examples/**/*.yaml'].flatMap((pattern) => globSync(join(here, pattern)))

function accept(file: string): void {
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const object = document.toJS() as KubeObject | null
    if (object === null) continue
    const kind = findKindOf(object.apiVersion, object.kind)
    // Custom kinds are the business of their definitions.
    if (kind === undefined) continue
    const title = `${object.kind}/${object.metadata.name}`
    assert.deepEqual(checkFields(kind, object), { unknown: [], typeErrors: [] }, title)
    // The server gives a uid before anything is prepared.
    object.metadata.uid = '00000000-0000-4000-8000-000000000000'
    const stored = judged(object.kind, object)
    assert.deepEqual(stored.complaints, [], title)
    assert.deepEqual(checkFields(kind, stored.object), { unknown: [], typeErrors: [] }, `${title} as stored`)
    const again = judged(object.kind, stored.object, stored.object)
    assert.deepEqual(again.complaints, [], `${title} written again`)
    assert.deepEqual(again.object, stored.object, `${title} written again must not change`)
  }
}

for (const file of own) test(`${file.slice(root.length + 1)} is accepted`, () => accept(file))

test('public applications are accepted as published', {
  skip: existsSync(shared) ? false : `${shared} is absent`,
}, () => {
  const files = globSync(join(shared, '**/*.yaml'))
  assert.ok(files.length > 0, `${shared} holds no manifests`)
  for (const file of files) accept(file)
})
