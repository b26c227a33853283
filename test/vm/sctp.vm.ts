import assert from 'node:assert/strict'
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { after, before, beforeEach, test } from 'node:test'
import { type Address, type Family, parseAddress } from '../../src/addr/index.ts'
import type { Agent } from '../../src/agent/index.ts'
import {
  buildRig,
  nodeObject,
  Objects,
  quietLog,
  type Rig,
  type Station,
  serviceObject,
  sliceObject,
  startOnRig,
} from '../../src/agent/rig.fixture.ts'
import { type Namespace, spawnIn } from '../../src/host/index.ts'
import type { EndpointSlice, Pod } from '../../src/objects/index.ts'
import { namespaceObject, policyObject } from '../../src/policies/cluster.fixture.ts'

const sctp = 132
const vips = { 4: parseAddress('10.96.0.1'), 6: parseAddress('fd00:96::1') }
const nodePort = 30132
const children: ChildProcess[] = []
const log = quietLog()
let rig: Rig
let objects: Objects
let agent: Agent

const addressWords = `
  use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 unpack_sockaddr_in6 inet_ntop);
  sub name { my ($v6, $ip, $port) = @_; $v6 ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $ip)) : pack_sockaddr_in($port, inet_aton($ip)) }
  sub ip { my ($v6, $of) = @_; $v6 ? inet_ntop(AF_INET6, (unpack_sockaddr_in6($of))[1]) : inet_ntoa((unpack_sockaddr_in($of))[1]) }
  my ($v6, $ip, $port, $word) = @ARGV;
  socket(my $s, $v6 ? AF_INET6 : AF_INET, SOCK_STREAM, ${sctp}) or die "socket: $!";`

/** Answers each association with NAME and the source that it sees, then echoes. */
const serverScript = `${addressWords}
  setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($s, name($v6, $ip, $port)) or die "bind: $!";
  listen($s, 16) or die "listen: $!";
  $| = 1; print "ready\\n"; $SIG{CHLD} = 'IGNORE';
  while (my $peer = accept(my $c, $s)) {
    next if fork();
    syswrite($c, "$word " . ip($v6, $peer) . "\\n");
    while (sysread($c, my $data, 4096)) { syswrite($c, $data) }
    exit;
  }`

/** Prints the first line that comes of each of so many associations; or that one is not answered in two seconds. */
const askScript = `${addressWords}
  $| = 1; $SIG{ALRM} = sub { print "silence\n"; exit };
  for (1 .. $word) {
    alarm 2;
    if (!connect($s, name($v6, $ip, $port))) { print "$!\n"; exit }
    sysread($s, my $data, 4096); print $data;
    close($s); socket($s, $v6 ? AF_INET6 : AF_INET, SOCK_STREAM, ${sctp});
  }`

/** Prints the first line that comes, then an echo for each line of its standard input. */
const clientScript = `${addressWords}
  $| = 1; $SIG{ALRM} = sub { print "silence\\n"; exit }; alarm $word;
  if (!connect($s, name($v6, $ip, $port))) { print "$!\\n"; exit }
  alarm 0;
  sysread($s, my $data, 4096); print $data;
  while (my $line = <STDIN>) { syswrite($s, $line); sysread($s, my $back, 4096); print $back }`

function perl(
  namespace: Namespace,
  script: string,
  family: Family,
  address: Address,
  port: number,
  word: string,
): ChildProcess {
  const words = ['-e', script, family === 6 ? '1' : '0', address, String(port), word]
  const child = spawnIn(namespace, 'perl', words, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

const line = async ({ stdout }: ChildProcess): Promise<string> => {
  const [data] = (await once(stdout!, 'data')) as [Buffer]
  return data.toString().trim()
}

/** What a client hears first, once for each of so many associations. */
async function askAll(from: Namespace, address: Address, port: number, times: number): Promise<string[]> {
  const child = perl(from, askScript, address.includes(':') ? 6 : 4, address, port, String(times))
  let said = ''
  for await (const data of child.stdout!) said += data
  return said.trim().split('\n')
}

async function ask(from: Namespace, address: Address, port: number): Promise<string> {
  return (await askAll(from, address, port, 1)).join()
}

before(async () => {
  rig = buildRig()
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  objects.put(namespaceObject('ns'))
  for (const station of [rig.client, ...rig.backends]) objects.put(podOf(station))
  for (const { namespace, addresses, name } of rig.backends) {
    for (const family of [4, 6] as const) {
      assert.equal(await line(perl(namespace, serverScript, family, addresses[family], 8132, name)), 'ready')
    }
  }
  agent = await startOnRig(rig, objects, log, { policies: 'strict' })
  await agent.ready
})
beforeEach(async () => {
  objects.delete('NetworkPolicy', 'ns/p')
  await web(rig.backends)
})
after(async () => {
  for (const child of children) child.kill('SIGKILL')
  await agent.stop()
  rig.close()
})

function podOf({ name, addresses }: Station): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ns', labels: { app: name } },
    spec: { nodeName: 'node-1', containers: [{ name: 'main' }] },
    status: { phase: 'Running', podIPs: [{ ip: addresses[4] }, { ip: addresses[6] }] },
  }
}

async function web(backends: readonly Station[], sessionAffinity: 'ClientIP' | 'None' = 'None'): Promise<void> {
  const ports = [{ name: 'sctp', port: 80, protocol: 'SCTP' as const, nodePort }]
  objects.put(serviceObject('web', [vips[4], vips[6]], { type: 'NodePort', ports, sessionAffinity }))
  for (const family of [4, 6] as const) {
    const slice = sliceObject(
      'web',
      family,
      backends.map(({ addresses }) => addresses[family]),
    )
    objects.put({ ...slice, ports: [{ name: 'sctp', port: 8132, protocol: 'SCTP' }] } as EndpointSlice)
  }
  await agent.settled()
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: associations of a pod are spread over the endpoints and keep its address`, async () => {
    const answers = await askAll(rig.client.namespace, vips[family], 80, 24)
    for (const { name } of rig.backends) {
      const own = answers.filter((answer) => answer === `${name} ${rig.client.addresses[family]}`)
      // 24 fair coins come up fewer than 2 times on one side once in 300,000 runs.
      assert.ok(own.length >= 2, answers.join('\n'))
    }
  })

  test(`IPv${family}: a node port from outside, a ClusterIP from the node and from the endpoint itself are masqueraded`, async () => {
    await web(rig.backends.slice(0, 1))
    const [self] = rig.backends
    for (const [from, address, port] of [
      [rig.outsider.namespace, rig.nodeAddresses[family], nodePort],
      [rig.node, vips[family], 80],
      [self.namespace, vips[family], 80],
    ] as const) {
      const answer = await ask(from, address, port)
      assert.match(answer, /^backend-1 /)
      assert.ok(
        !answer.endsWith(` ${rig.outsider.addresses[family]}`) && !answer.endsWith(` ${self.addresses[family]}`),
        answer,
      )
    }
  })

  test(`IPv${family}: without endpoints nobody answers`, async () => {
    await web([])
    // The refusal is ICMP port unreachable, as upstream, which Linux's SCTP does not end an attempt for (sctp_v4_err).
    assert.equal(await ask(rig.client.namespace, vips[family], 80), 'silence')
    assert.equal(await ask(rig.outsider.namespace, rig.nodeAddresses[family], nodePort), 'silence')
  })

  test(`IPv${family}: an association lives on when its endpoint goes, and while the agent is away`, async () => {
    await web(rig.backends.slice(0, 1))
    const child = perl(rig.client.namespace, clientScript, family, vips[family], 80, '')
    assert.match(await line(child), /^backend-1 /)
    await web(rig.backends.slice(1))
    await agent.stop()
    child.stdin!.write('still there\n')
    assert.equal(await line(child), 'still there')
    assert.match(await ask(rig.client.namespace, vips[family], 80), /^backend-2 /)
    agent = await startOnRig(rig, objects, log, { policies: 'strict' })
    await agent.ready
    child.stdin!.write('and still\n')
    assert.equal(await line(child), 'and still')
    const entries = rig.node.network.connections({ protocol: sctp })
    assert.ok(entries.some(({ original, reply }) => original.destination === vips[family] && reply.sourcePort === 8132))
    child.stdin!.end()
  })

  test(`IPv${family}: a client with session affinity returns to its endpoint`, async () => {
    await web(rig.backends, 'ClientIP')
    const answers = await askAll(rig.client.namespace, vips[family], 80, 24)
    assert.deepEqual([answers.length, new Set(answers).size], [24, 1], answers.join('\n'))
  })

  test(`IPv${family}: a policy of SCTP ports admits associations, another is silence, and it cuts one that is alive`, async () => {
    await web(rig.backends.slice(0, 1))
    const child = perl(rig.client.namespace, clientScript, family, vips[family], 80, '')
    assert.match(await line(child), /^backend-1 /)
    const only = async (port: number): Promise<void> => {
      objects.put(
        policyObject('p', {
          podSelector: { matchLabels: { app: 'backend-1' } },
          policyTypes: ['Ingress'],
          ingress: [{ ports: [{ protocol: 'SCTP', port }] }],
        }),
      )
      await agent.settled()
    }
    await only(8132)
    assert.match(await ask(rig.client.namespace, vips[family], 80), /^backend-1 /)
    child.stdin!.write('admitted\n')
    assert.equal(await line(child), 'admitted')
    await only(8133)
    assert.equal(await ask(rig.client.namespace, vips[family], 80), 'silence')
    child.stdin!.write('denied\n')
    const heard = await Promise.race([line(child), new Promise((resolve) => setTimeout(resolve, 1500, 'nothing'))])
    assert.equal(heard, 'nothing')
  })
}

test('nft lists the tables with SCTP in them', () => {
  const { status, stdout } = rig.node.run(() => spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }))
  assert.equal(status, 0)
  assert.match(stdout, /10\.96\.0\.1 \. sctp \. 80/)
})
