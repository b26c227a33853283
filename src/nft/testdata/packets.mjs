// Sends UDP datagrams over `lo` through one ruleset after another, in the network namespace in which it runs, and prints by how much
// each packet raised the counter of each rule, as JSON: { "rule's comment": packets }.
// usage: node packets.mjs CASES.json, where CASES is [{ batch, table, packets: [{ source, sourcePort, destination, destinationPort }] }]
import { execFileSync } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' })
run('ip', 'link', 'set', 'lo', 'up')
for (let host = 1; host <= 4; host++) {
  run('ip', 'addr', 'add', `10.0.0.${host}/32`, 'dev', 'lo')
  run('ip', 'addr', 'add', `fd00::${host}/128`, 'dev', 'lo', 'nodad')
}
const open = async (type, port, address) => {
  const socket = dgram.createSocket({ type, reuseAddr: true, ipv6Only: type === 'udp6' })
  socket.on('error', () => {})
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}
const sinks = []
for (let port = 1000; port <= 1003; port++) for (const type of ['udp4', 'udp6']) sinks.push(await open(type, port))

/** @type {(table: string) => Record<string, number>} */
function counters(table) {
  const counts = {}
  for (const { rule } of JSON.parse(run('nft', '-j', 'list', 'table', 'inet', table)).nftables) {
    const counter = rule?.expr.find((expression) => 'counter' in expression)
    if (counter !== undefined) counts[rule.comment] = counter.counter.packets
  }
  return counts
}

const results = []
for (const { batch, table, packets } of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  run(process.execPath, join(import.meta.dirname, 'send.mjs'), batch)
  const answers = []
  for (const { source, sourcePort, destination, destinationPort } of packets) {
    const before = counters(table)
    const socket = await open(source.includes(':') ? 'udp6' : 'udp4', sourcePort, source)
    // A packet that the output hook drops makes `send` fail, which is an answer too.
    await new Promise((done) => socket.send('x', destinationPort, destination, done))
    const after = counters(table)
    socket.close()
    const raised = {}
    for (const [comment, count] of Object.entries(after)) if (count > before[comment]) raised[comment] = count - before[comment]
    answers.push(raised)
  }
  results.push(answers)
  run('nft', 'flush', 'ruleset')
}
console.log(JSON.stringify(results))
for (const socket of sinks) socket.close()
