import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { parseAddress } from '../src/addr/index.ts'
import {
  buildRig,
  nodeObject,
  Objects,
  quietLog,
  type Rig,
  serviceObject,
  sliceObject,
  startOnRig,
} from '../src/agent/rig.fixture.ts'
import { spawnIn } from '../src/host/index.ts'
import { findKernel } from '../test/vm/kernel.ts'
import { runInMachine, whyNoMachine } from '../test/vm/machine.ts'
import type { Row } from './row.ts'

const vip = parseAddress('10.96.0.1')
const packets = 20_000
const turns = 7
/** The number of the system call on x86-64; 1 is CLOCK_MONOTONIC. */
const clockGettime = 228

/** What a packet of a long UDP flow through a Service costs a node by the hooks and by the fast path, in an emulated machine with a kernel that has flowtables. */
export async function bench(): Promise<Row[]> {
  const kernel = whyNoMachine() ?? findKernel('6.12')
  if (typeof kernel === 'string') {
    console.error(`the fast path is not measured: ${kernel}`)
    return []
  }
  const script = `const { measure } = await import('/repo/bench/fast-path.ts'); console.log(JSON.stringify(await measure())); process.exit(0)`
  const { code, output, kernelLog } = await runInMachine(kernel, ['-e', script])
  if (code !== 0) throw new Error(`${output}\n${kernelLog}`)
  return JSON.parse(output) as Row[]
}

/** Runs in the machine. */
export async function measure(): Promise<Row[]> {
  const rig = buildRig()
  const objects = new Objects()
  const [backend] = rig.backends
  objects.put(nodeObject('node-1', rig))
  objects.put(serviceObject('web', [vip], { ports: [{ name: 'udp', port: 5000, protocol: 'UDP' }] }))
  objects.put(sliceObject('web', 4, [backend.addresses[4]]))
  const times: Record<'hooks' | 'fast', number[]> = { hooks: [], fast: [] }
  for (let turn = 0; turn < turns; turn++) {
    for (const way of ['hooks', 'fast'] as const) {
      const agent = await startOnRig(rig, objects, quietLog(), {
        policies: 'new-connections',
        fastPath: way === 'fast',
      })
      await agent.ready
      const server = await answerFirst(rig)
      times[way].push(send(rig))
      const gone = once(server, 'exit')
      server.kill()
      await gone
      const [flow] = rig.node.network.connections({ protocol: 17 })
      if ((flow?.offloaded === true) !== (way === 'fast')) throw new Error(`${way}: ${JSON.stringify(flow)}`)
      if (flow !== undefined) rig.node.network.deleteConnection(flow)
      await agent.stop()
    }
  }
  rig.close()
  const middle = (all: number[]): number => all.toSorted((a, b) => a - b)[turns >> 1]! * 1e6
  const [hooks, fast] = [middle(times.hooks), middle(times.fast)]
  const row = { bench: 'fast-path', unit: 'µs' }
  return [
    { ...row, metric: 'one packet of a long flow, by the hooks', value: hooks },
    {
      ...row,
      metric: 'one packet of a long flow, by the fast path',
      value: fast,
      peer: 'the hooks',
      ratio: fast / hooks,
    },
  ]
}

/** How many datagrams are answered, so that the flow is one that goes both ways. */
const answered = 100

async function answerFirst({ backends: [backend] }: Rig): Promise<ChildProcess> {
  const script = `use Socket; $| = 1;
    socket(my $s, PF_INET, SOCK_DGRAM, 17); bind($s, pack_sockaddr_in(5353, inet_aton('${backend.addresses[4]}'))) or die $!;
    print 'ready'; for (1 .. ${answered}) { my $from = recv($s, my $data, 99, 0); send($s, $data, 0, $from) } sleep 600`
  const child = spawnIn(backend.namespace, 'perl', ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  return child
}

/** Seconds for each of many datagrams from the client: the kernel forwards each within the call that sends it. */
function send(rig: Rig): number {
  const script = `use Socket;
    sub now { my $time = pack('qq', 0, 0); syscall(${clockGettime}, 1, $time); my ($s, $ns) = unpack('qq', $time); $s + $ns / 1e9 }
    socket(my $s, PF_INET, SOCK_DGRAM, 17); connect($s, pack_sockaddr_in(5000, inet_aton('${vip}'))) or die $!;
    alarm 60; for (1 .. ${answered}) { send($s, 'x' x 64, 0); recv($s, my $data, 99, 0) } alarm 0;
    my $begun = now(); for (1 .. ${packets}) { send($s, 'x' x 64, 0) } print((now() - $begun) / ${packets})`
  const { status, stdout, stderr } = rig.client.namespace.run(() =>
    spawnSync('perl', ['-e', script], { encoding: 'utf8' }),
  )
  if (status !== 0) throw new Error(stderr)
  return Number(stdout)
}
