/**
 * A client that probes an address each millisecond, over UDP or one TCP connection, and measures how long nobody answered. Arguments: address, port,
 * `udp` or `tcp`. Lines of standard input: `calm` waits until 100 probes in a row were answered, `mark` begins to look, `gap` waits until it is
 * calm again and everything sent has been judged, then prints the longest gap since the mark in milliseconds. Each is answered by one line.
 *
 * Over UDP a gap is the time from an answered probe to the next answered one, when one between them was not. TCP repeats what is lost: there it is the
 * longest time that an answer took.
 */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

const [address = '', port = '', protocol = 'udp'] = process.argv.slice(2)
/** When a probe without an answer counts as lost, also on a machine that is busy. */
const patienceMs = 300
const calmProbes = 100
const calmMs = 30_000

const sent: number[] = []
/** When the answer to a probe came; undefined when none did. */
const answeredAt: (number | undefined)[] = []
/** The last probe that was answered, and how many before it were without a break. */
let inRow = 0
let last = -1
let mark = 0

setPriority(-15)
const send = protocol === 'tcp' ? openTcp() : openUdp()
setInterval(() => {
  const probe = Buffer.alloc(4)
  probe.writeUInt32BE(sent.length)
  sent.push(performance.now())
  send(probe)
}, 1)

function take(probe: number): void {
  answeredAt[probe] = performance.now()
  inRow = probe === last + 1 ? inRow + 1 : 1
  last = probe
}

function openUdp(): (probe: Buffer) => void {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (data) => take(data.readUInt32BE(0)))
  socket.on('error', () => undefined)
  return (probe) => socket.send(probe, Number(port), address, () => undefined)
}

function openTcp(): (probe: Buffer) => void {
  const socket = connect({ port: Number(port), host: address, noDelay: true })
  let rest = Buffer.alloc(0)
  socket.on('error', (error) => console.error(`the probing connection: ${error.message}`))
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data])
    for (; rest.length >= 4; rest = rest.subarray(4)) take(rest.readUInt32BE(0))
  })
  return (probe) => void socket.write(probe)
}

async function calm(): Promise<string> {
  const end = performance.now() + calmMs
  const from = performance.now()
  for (;;) {
    if (inRow >= calmProbes && (sent[last - calmProbes] ?? 0) >= from) return 'calm'
    if (performance.now() > end) return 'nobody answers'
    await pause(5)
  }
}

async function gap(): Promise<string> {
  const state = await calm()
  if (state !== 'calm') return state
  const end = sent.length
  await pause(patienceMs)
  let longest = 0
  let before: number | undefined
  let missed = false
  for (let i = mark; i < end; i++) {
    const [at = 0, back] = [sent[i], answeredAt[i]]
    if (back === undefined) missed = true
    else {
      if (protocol === 'tcp') longest = Math.max(longest, back - at)
      else if (missed && before !== undefined) longest = Math.max(longest, at - before)
      before = at
      missed = false
    }
  }
  return longest.toFixed(2)
}

console.log('open')
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'mark') mark = Math.max(0, last - 1)
  console.log(line === 'calm' ? await calm() : line === 'gap' ? await gap() : 'marked')
}
process.exit(0)
