/**
 * Opens connections to an address and asks on each; every other one goes on asking each 100 ms. At each line of standard input asks on all, and prints,
 * by the pod that answered at first, how many there are and how many the same pod still answers. Arguments: address, how many, `tcp` (HTTP at port 80) or
 * `udp` (port 5353, where anything is answered).
 */
import { createSocket } from 'node:dgram'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

interface Conversation {
  readonly isOver: boolean
  /** The pod that answers, or undefined when none does. */
  ask(): Promise<string | undefined>
}

interface Client {
  readonly conversation: Conversation
  readonly pod: string | undefined
  readonly isBusy: boolean
}

const [host = '', count, protocol] = process.argv.slice(2)
const patienceMs = 10_000
const repeatMs = 500

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

function connect(): Conversation {
  const socket = new Socket().connect(80, host)
  socket.on('error', () => undefined)
  return {
    get isOver() {
      return socket.destroyed
    },
    ask: () => ask(socket),
  }
}

/** Datagrams from one port, asked again as long as nobody answers. */
async function datagrams(): Promise<Conversation> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => socket.connect(5353, host, resolve))
  const ask = (): Promise<string | undefined> =>
    new Promise((resolve) => {
      const end = (pod?: string): void => {
        socket.off('message', take)
        clearInterval(again)
        clearTimeout(timer)
        resolve(pod)
      }
      const take = (data: Buffer): void => {
        const pod = /^pod [^ /]+\/(\S+) /.exec(data.toString())?.[1]
        if (pod !== undefined) end(pod)
      }
      const send = (): void => socket.send('who?', () => undefined)
      const again = setInterval(send, repeatMs)
      const timer = setTimeout(end, patienceMs)
      socket.on('message', take)
      send()
    })
  return { isOver: false, ask }
}

const opened: Client[] = []
for (let i = 0; i < Number(count); i++) {
  const conversation = protocol === 'udp' ? await datagrams() : connect()
  // An idle flow of datagrams ends by itself.
  opened.push({ conversation, pod: await conversation.ask(), isBusy: protocol === 'udp' || i % 2 === 0 })
}

let isAsked = false
async function work({ conversation }: Client): Promise<void> {
  while (!isAsked && !conversation.isOver) {
    await conversation.ask()
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
  const asked = opened.map(async ({ conversation, pod = 'nobody' }) => {
    const isAlive = pod === (await conversation.ask())
    const known = byPod.get(pod) ?? { all: 0, alive: 0 }
    byPod.set(pod, { all: known.all + 1, alive: known.alive + (isAlive ? 1 : 0) })
  })
  await Promise.all(asked)
  working = goOn()
  console.log(JSON.stringify(Object.fromEntries(byPod)))
}
