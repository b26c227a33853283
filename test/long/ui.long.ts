// The page in a real browser over a lab: what is broken is seen, why is answered, what changes comes by itself, also after the API server was killed.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { TestLab } from '../lab.fixture.ts'
import { Browser, chromium } from './browser.ts'

const skip = chromium === undefined && 'there is no Chromium on this machine'
const lab = new TestLab(`ui-${process.pid}`)
let child: ChildProcess
let browser: Browser
let url = ''

const service = (name: string, app: string, more = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app }, ports: [{ port: 80, targetPort: 'http' }], ...more },
})
const policy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'cart' },
  spec: { podSelector: { matchLabels: { app: 'cart' } }, ingress: [] },
}

before(async () => {
  if (skip !== false) return
  await lab.start('-f', resolve(import.meta.dirname, '../../examples/shop'))
  for (const one of [service('lost', 'webb'), service('front', 'web', { type: 'LoadBalancer' }), policy])
    await lab.apply(one)
  child = lab.spawn(['ui'], ['ignore', 'pipe', 'inherit'])
  for await (const line of createInterface({ input: child.stdout! })) {
    url = line
    break
  }
  browser = await Browser.start()
  await browser.look(1440, 900, 'light')
  await browser.open(url)
})
after(async () => {
  await browser?.close()
  child?.kill()
  await lab.stop()
})

const go = (hash: string) => browser.evaluate(`location.hash = ${JSON.stringify(hash)}`)
const box = (id: string) => `document.querySelector('a[data-id="${id}"]')`

test('the picture has what is broken in red, with its words and the object to blame', { skip }, async () => {
  await browser.until(`${box('service/default/lost')}?.closest('.refuses')`)
  assert.match(
    await browser.evaluate<string>(`${box('service/default/lost')}.getAttribute('aria-label')`),
    /its selector app=webb matches none of the \d+ pods/,
  )
  await browser.until(`${box('service/default/web')}?.closest('.serves')`)
  assert.doesNotMatch(await browser.evaluate<string>('location.href'), /token/, 'the token is gone from the address')
  await go('#/?object=service/default/lost')
  await browser.until(`document.querySelector('aside .because')?.innerText.includes('spec.selector = app=webb')`)
})

test('a keyboard alone finds its way: a box is chosen, pods unfold, and the focus stays', { skip }, async () => {
  await go('#/')
  await browser.until(`document.querySelectorAll('.box').length > 5`)
  await browser.evaluate(`${box('service/default/web')}.focus()`)
  await browser.press('Enter', 'Enter', '\r')
  await browser.until(`document.querySelector('aside h2')?.innerText === 'service/default/web'`)
  await browser.evaluate(`document.querySelector('[data-id="fold deployment/default/web"]').focus()`)
  await browser.press('Enter', 'Enter', '\r')
  await browser.until(`document.activeElement.getAttribute('aria-expanded') === 'true'`)
  await browser.until(`document.querySelectorAll('.canvas a[href*="object=pod/default/web-"]').length === 3`)
})

test('why is answered as the command line answers it, held against the kernels', { skip }, async () => {
  await go('#/why?from=pod/default/client&to=svc/default/web:80')
  await browser.until(`document.querySelector('.answer .verdict.allow')`)
  await browser.until(`document.querySelector('.observed.agrees')`)
  await go('#/why?from=pod/default/client&to=svc/default/cart:7070')
  await browser.until(`document.querySelector('.answer .verdict.deny')`)
  const told = await browser.evaluate<string>(`document.querySelector('.answer').innerText`)
  const { stdout } = await lab.cli('why', 'pod/client', 'svc/cart:7070')
  const [, verdict = ''] = /^✗ .*?\/tcp: (.*)$/m.exec(stdout) ?? []
  // Which of two pods comes first is left open.
  assert.ok(told.includes(verdict.replace(/pod\/\S+.*/, '')), `${told}\n${stdout}`)
  assert.match(told, /to blame: networkpolicy\/default\/cart/)
})

test('flows come as they are made, and an address that moves is told', { skip }, async () => {
  await go('#/flows')
  await lab.cli('exec', 'client', '--', 'curl', '-s', '-m', '1', 'http://cart:7070')
  await browser.until(`document.querySelector('tbody')?.innerText.includes('networkpolicy/default/cart')`)
  await go('#/addresses')
  await browser.until(`document.querySelector('tbody')?.innerText.includes('service/default/front')`)
  const holder = await browser.evaluate<string>(`document.querySelector('tbody td:nth-child(4)').innerText`)
  const address = await browser.evaluate<string>(`document.querySelector('tbody td').innerText`)
  const to = holder === 'node-1' ? 'node-2' : 'node-1'
  assert.equal((await lab.cli('addresses', 'move', address, to)).code, 0)
  await browser.until(`document.querySelectorAll('tbody')[1]?.innerText.includes('${holder}')`)
})

test('what changes comes by itself, also after the API server was killed', { skip }, async (t) => {
  await go('#/')
  await browser.until(`${box('service/default/lost')}?.closest('.refuses')`)
  await lab.apply(service('lost', 'web'))
  await browser.until(`${box('service/default/lost')}?.closest('.serves')`)
  const server = lab.findProcess('apiserver')
  assert.ok(server !== undefined, 'the API server runs')
  process.kill(server, 'SIGKILL')
  const begin = Date.now()
  const again = async (): Promise<void> => lab.apply(service('late', 'nobody')).catch(again)
  await again()
  const written = Date.now()
  await browser.until(`${box('service/default/late')}?.closest('.refuses')`)
  t.diagnostic(`written ${written - begin} ms after the API server was killed, seen ${Date.now() - written} ms later`)
})

test('nothing is asked of anybody else, and nothing goes wrong in the browser', { skip }, () => {
  assert.deepEqual([...new Set(browser.requests.map((one) => new URL(one).origin))], [new URL(url).origin])
  assert.deepEqual(browser.complaints, [])
})
