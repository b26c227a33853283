/**
 * Opens connections to an address and asks on each; every other one goes on asking each 100 ms. At each line of standard input asks on all, and prints,
 * by the pod that answered at first, how many there are and how many the same pod still answers. Arguments: address, how many.
 */
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

interface Client {
  readonly socket: Socket
  readonly pod: string | undefined
  readonly isBusy: boolean
}

const [host = '', count] = process.argv.slice(2)
const patienceMs = 20_000

/** The pod that answers, or undefined when the connection ends, or is silent for longer than TCP's repetitions take. */
function ask(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const end = (answer?: string): void => {
      socket.off('data', take)
      socket.off('close', closed)
      clearTimeout(timer)
      resolve(answer)
    }
    const closed = (): void => end()
    const take = (chunk: Buffer): void => {
      text += chunk
      const pod = /pod: (\S+)\n[\s\S]*accept: /.exec(text)?.[1]
      if (pod !== undefined) end(pod)
    }
    const timer = setTimeout(end, patienceMs)
    socket.on('data', take)
    socket.on('close', closed)
    if (socket.destroyed) end()
    else socket.write('GET / HTTP/1.1\r\nHost: web\r\nAccept: x\r\n\r\n')
  })
}

const opened: Client[] = []
for (let i = 0; i < Number(count); i++) {
  const socket = new Socket().connect(80, host)
  socket.on('error', () => undefined)
  opened.push({ socket, pod: await ask(socket), isBusy: i % 2 === 0 })
}

let isAsked = false
async function work({ socket, pod }: Client): Promise<void> {
  while (!isAsked && !socket.destroyed) {
    if ((await ask(socket)) !== pod) socket.destroy()
    await pause(100)
  }
}
function goOn(): Promise<void>[] {
  isAsked = false
  return opened.filter(({ isBusy }) => isBusy).map(work)
}

let working = goOn()
console.log('open')
for await (const _ of createInterface({ input: process.stdin })) {
  isAsked = true
  await Promise.all(working)
  const byPod = new Map<string, { all: number; alive: number }>()
  const asked = opened.map(async ({ socket, pod = 'nobody' }) => {
    const isAlive = pod === (await ask(socket))
    const known = byPod.get(pod) ?? { all: 0, alive: 0 }
    byPod.set(pod, { all: known.all + 1, alive: known.alive + (isAlive ? 1 : 0) })
  })
  await Promise.all(asked)
  working = goOn()
  console.log(JSON.stringify(Object.fromEntries(byPod)))
}
