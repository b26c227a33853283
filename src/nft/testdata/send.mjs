// Sends nfnetlink batches into the network namespace in which it runs, and prints the kernel's answers to each as a line of JSON.
// usage: node send.mjs BATCH…
import { readFileSync } from 'node:fs'
import koffi from 'koffi'

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int, int, int)')
const setsockopt = libc.func('int setsockopt(int, int, int, void *, uint32_t)')
const send = libc.func('long send(int, void *, size_t, int)')
const recv = libc.func('long recv(int, void *, size_t, int)')

const fd = socket(16, 3, 12)
const size = Buffer.alloc(4)
size.writeInt32LE(256 << 20)
setsockopt(fd, 1, 32, size, 4)
setsockopt(fd, 1, 33, size, 4)
const one = Buffer.from([1, 0, 0, 0])
setsockopt(fd, 270, 10, one, 4)
setsockopt(fd, 270, 11, one, 4)
for (const file of process.argv.slice(2)) {
  const batch = readFileSync(file)
  const started = process.hrtime.bigint()
  const sent = Number(send(fd, batch, batch.length, 0))
  const kernelMs = Number(process.hrtime.bigint() - started) / 1e6
  const answers = []
  const buffer = Buffer.alloc(1 << 20)
  for (;;) {
    const got = Number(recv(fd, buffer, buffer.length, 0x40))
    if (got <= 0) break
    for (let at = 0; at < got; ) {
      const length = buffer.readUInt32LE(at)
      const answer = { sequence: buffer.readUInt32LE(at + 8), errno: -buffer.readInt32LE(at + 16) }
      if (buffer.readUInt16LE(at + 6) & 0x200) {
        for (let tlv = at + 36; tlv < at + length; tlv += (buffer.readUInt16LE(tlv) + 3) & ~3) {
          if (buffer.readUInt16LE(tlv + 2) === 2) answer.offset = buffer.readUInt32LE(tlv + 4)
          else answer.text = buffer.toString('latin1', tlv + 4, tlv + buffer.readUInt16LE(tlv) - 1)
        }
      }
      answers.push(answer)
      at += (length + 3) & ~3
    }
  }
  console.log(JSON.stringify({ sent, kernelMs, answers }))
}
