import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { EgressRig, egressObject, outside } from './egress.fixture.ts'

const red: readonly Address[] = ['172.30.0.200', 'fd00:30::200'].map(parseAddress)
let rig: EgressRig

before(async () => {
  rig = new EgressRig()
  rig.serve()
  rig.objects.put(egressObject('red', { egressIPs: [...red] }))
  for (const address of red) rig.owners.move(address, 'node-2')
  await rig.start()
})
after(() => rig.close())

const addressOf = (source: string) => source.split(' ')[0]
const portOf = (source: string) => Number(source.split(' ')[1])

test('pods of every node leave under the address, through its owner, each node with ports of its own', async () => {
  for (const [node, first] of [
    [1, 1024],
    [2, 2048],
    [3, 3072],
  ] as const) {
    const pod = await rig.addPod(`all-${node}`, node, { egress: 'red' })
    for (const family of [4, 6] as const) {
      const { source } = await rig.connect(pod, family)
      assert.equal(addressOf(source), red[family === 4 ? 0 : 1], rig.log.lines.join('\n'))
      assert.ok(portOf(source) >= first && portOf(source) < first + 1024, source)
    }
  }
  const other = await rig.addPod('other', 1, {})
  assert.equal(addressOf((await rig.connect(other)).source), '172.30.0.11')
  assert.equal(addressOf((await rig.connect(other, 6)).source), 'fd00:30::11')
  assert.ok(outside)
})

test('nft lists the tables and loads what it listed', () => {
  for (const node of rig.nodes) {
    for (const family of ['ip', 'ip6']) {
      const listed = rig.nft(node, 'list', 'table', family, 'plumb-egress')
      assert.match(listed, /chain steer-red_/)
      rig.nft(node, '-c', listed)
    }
  }
})
