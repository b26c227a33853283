import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Box, Edge, Picture, Rung } from '../picture.ts'
import { filterPicture } from './filter.ts'
import { parseHash, renderHash } from './hash.ts'
import { layOut, metrics, wrap } from './layout.ts'

const box = (rung: Rung, id: string, more: Partial<Box> = {}): Box => {
  const [kind = '', namespace = '', name = id] = id.split('/')
  return { id, rung, kind, namespace, name, lines: ['one', 'two'], look: 'serves', says: '', ...more }
}
const edge = (from: string, to: string): Edge => ({ from, to, look: 'serves', says: '' })
const pods = [1, 2, 3].map((at) => ({ name: `shop/web-${at}`, node: 'node-1', ready: true, says: '' }))
const picture: Picture = {
  schema: 'plumb.network/picture/v1',
  namespaces: ['shop', 'team'],
  boxes: [
    box('workload', 'deployment/shop/web', { pods }),
    box('workload', 'deployment/shop/cart'),
    box('workload', 'deployment/team/idle'),
    box('service', 'service/shop/web'),
    box('service', 'service/shop/cart'),
    box('service', 'service/team/lost', { look: 'refuses', says: 'its selector app=x matches none of the 3 pods' }),
    box('address', 'address/203.0.113.7', { namespace: '' }),
  ],
  edges: [
    edge('service/shop/web', 'deployment/shop/web'),
    edge('service/shop/cart', 'deployment/shop/cart'),
    edge('address/203.0.113.7', 'service/shop/web'),
  ],
  findings: [],
}
const at = (width: number, ...unfolded: string[]) => layOut(picture, { width, unfolded: new Set(unfolded) })
const order = ({ boxes }: ReturnType<typeof layOut>, rung: Rung) =>
  boxes
    .filter((one) => one.box.rung === rung)
    .sort((a, b) => a.y - b.y)
    .map((one) => one.box.id)

test('columns are those that have something, in order, and never overlap', () => {
  for (const width of [300, 390, 1000, 2600]) {
    const { columns, boxes } = at(width)
    assert.deepEqual(
      columns.map(({ rung }) => rung),
      ['address', 'service', 'workload'],
    )
    for (const [i, one] of columns.entries())
      assert.ok(i === 0 || one.x >= columns[i - 1]!.x + columns[i - 1]!.width, `columns overlap at ${width}`)
    for (const a of boxes)
      for (const b of boxes)
        if (a !== b && a.x === b.x) assert.ok(a.y + a.height <= b.y || b.y + b.height <= a.y, 'boxes overlap')
  }
})

test('what is broken comes first, and all else is beside the Services that it belongs to', () => {
  const drawn = at(1200)
  assert.deepEqual(order(drawn, 'service'), ['service/team/lost', 'service/shop/cart', 'service/shop/web'])
  assert.deepEqual(order(drawn, 'workload'), ['deployment/shop/cart', 'deployment/shop/web', 'deployment/team/idle'])
  const lost = drawn.boxes.find((one) => one.box.id === 'service/team/lost')!
  assert.equal(lost.says.join(' '), 'its selector app=x matches none of the 3 pods')
  assert.equal(lost.namespace, 'team', 'where there are several namespaces, boxes tell theirs')
})

test('a workload unfolds into its pods, and a column of many gets one line each', () => {
  const folded = at(1200).boxes[0]!
  const height = (drawn: ReturnType<typeof layOut>) =>
    drawn.boxes.find((one) => one.box.id === 'deployment/shop/web')!.height
  assert.equal(height(at(1200, 'deployment/shop/web')), height(at(1200)) + 3 * metrics.line)
  const many = Array.from({ length: 100 }, (_, i) => box('service', `service/shop/s-${i}`))
  const dense = layOut({ ...picture, boxes: many, edges: [] }, { width: 1200, unfolded: new Set() })
  assert.ok(dense.boxes.every(({ lines }) => lines.length === 0))
  assert.ok(dense.height < 100 * folded.height, 'a hundred Services take little room')
  assert.deepEqual(order(dense, 'service').slice(0, 3), ['service/shop/s-0', 'service/shop/s-1', 'service/shop/s-2'])
})

test('a filter keeps what leads to what is meant, and what that leads to', () => {
  const ids = (filter: Partial<Parameters<typeof filterPicture>[1]>) =>
    filterPicture(picture, { namespace: '', text: '', isBrokenOnly: false, ...filter }).boxes.map(({ id }) => id)
  assert.deepEqual(ids({ text: 'service/shop/web' }), [
    'deployment/shop/web',
    'service/shop/web',
    'address/203.0.113.7',
  ])
  assert.deepEqual(ids({ text: '203.0.113' }), ['deployment/shop/web', 'service/shop/web', 'address/203.0.113.7'])
  assert.deepEqual(ids({ isBrokenOnly: true }), ['service/team/lost'])
  assert.deepEqual(ids({ namespace: 'team' }), ['deployment/team/idle', 'service/team/lost'])
  assert.deepEqual(ids({ text: 'nobody' }), [])
  assert.equal(ids({}).length, picture.boxes.length)
})

test('the address of a view is read as it was written', () => {
  const query = { from: 'pod/shop/client', to: '[fd00::1]:80', q: 'a&b=c é' }
  assert.deepEqual(parseHash(renderHash('why', { ...query, family: '' })), { view: 'why', query })
  assert.equal(renderHash('why', { to: 'svc/shop/web:80' }), '#/why?to=svc/shop/web:80')
  assert.deepEqual(parseHash(''), { view: '', query: {} })
})

test('words are wrapped, and cut where there is no more room', () => {
  assert.deepEqual(wrap('its selector matches none', 14, 3), ['its selector', 'matches none'])
  assert.deepEqual(wrap('one two three four five six', 9, 2), ['one two', 'three fo…'])
  assert.deepEqual(wrap('x'.repeat(30), 10, 2), ['x'.repeat(10), `${'x'.repeat(9)}…`])
  assert.deepEqual(wrap('', 10, 2), [])
})
