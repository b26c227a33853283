import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { exit, print, say } from './output.ts'

const integer = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number.')
  return Number(text)
}
const collect = (value: string, previous: string[]): string[] => [...previous, value]

const program = new Command('plumb')
  .description('The whole network of a Kubernetes cluster, with real packets.')
  .version('0.1.0')
  .showHelpAfterError('(plumb COMMAND --help tells how)')
  .exitOverride()
  .configureHelp({ sortSubcommands: false })

// KUBECONFIG is often a former lab’s: whoever types a lab’s name means that.
program.hook('preAction', (_, command) => {
  const isTyped = command.getOptionValueSource('name') === 'cli'
  if (isTyped && command.getOptionValueSource('kubeconfig') === 'env') command.setOptionValue('kubeconfig', undefined)
})

const labName = () => new Option('--name <lab>', 'which lab').default('lab').env('PLUMB_LAB')
const inCluster = () => new Option('--in-cluster', 'reach it as the ServiceAccount of this pod').default(false)
const kubeconfig = () => new Option('--kubeconfig <file>', 'how to reach the API server').env('KUBECONFIG')
const context = () => new Option('--context <name>', 'of the kubeconfig; its current one unless named')
const heartbeatInterval = () =>
  new Option(
    '--heartbeat-interval <ms>',
    'between heartbeats of the nodes, 20 to 400, the same on all; a node that is silent for two and a half loses external addresses (200)',
  ).argParser((text) => {
    const ms = integer(text)
    if (ms >= 20 && ms <= 400) return ms
    throw new InvalidArgumentError('Give 20 to 400 milliseconds.')
  })
const thisNode = () => new Option('--node <name>', 'the node that this machine is; its addresses tell unless named')

program.commandsGroup('Try it on this machine:')
program
  .command('up')
  .description('start a cluster of namespaces, or apply more manifests to the one that runs')
  .addOption(labName())
  .option('--nodes <count>', 'how many nodes', integer, 3)
  .option('--segments <count>', 'on how many subnets behind the router they are, in turn', integer, 1)
  .option('-f, --filename <path>', 'a manifest, or a folder of them; may be given again', collect, [])
  .option('--timeout <seconds>', 'how long to wait until all pods are Ready', integer, 60)
  .option(
    '--image <image=program>',
    'a program of this machine that containers of an image run; * stands for anything; may be given again',
    collect,
    [],
  )
  .option('--restore <file>', 'start from a backup that plumb apiserver backup made')
  .option('--audit-policy-file <file>', 'an audit.k8s.io/v1 Policy: what the API server writes down of requests')
  .option('--audit-log-path <file>', 'where it writes that, a JSON object a line')
  .addOption(heartbeatInterval())
  .action(async (options) => (await import('./lab.ts')).runUp(options))
program
  .command('down')
  .description('end the lab; nothing stays behind')
  .addOption(labName())
  .action(async (options) => (await import('./lab.ts')).runDown(options))
program
  .command('kubeconfig')
  .description('print the path of the lab’s kubeconfig')
  .addOption(labName())
  .action(async (options) => (await import('./lab.ts')).runKubeconfig(options))
program
  .command('exec')
  .description('run a command of this machine in a pod, on a node or as the client outside')
  .usage('[options] POD -- COMMAND…')
  .addOption(labName())
  .option('-n, --namespace <namespace>', 'of the pod', 'default')
  .option('-c, --container <container>', 'of the pod; the first one unless named')
  .option('--node <node>', 'run it on this node')
  .option('--outside', 'run it as the client beyond the router')
  .argument('[words...]')
  .action(async (words: string[], options) => (await import('./lab.ts')).runExec(words, options))

program.commandsGroup('Run a cluster’s network:')
program
  .command('install')
  .description(
    'print the objects by which Plumb becomes the network of a cluster: agents, controllers, definitions, roles',
  )
  .requiredOption('--image <image>', 'as nodes pull it')
  .requiredOption('--api-server <host:port>', 'the API server’s own address, not its ClusterIP')
  .option('--service-cidr <prefixes>', 'of Services', '10.96.0.0/16,fd00:96::/112')
  .option('--cluster-cidr <prefixes>', 'of pods', '10.244.0.0/16,fd00:244::/56')
  .addOption(
    new Option('--policies <mode>', 'NetworkPolicies: strict also cuts connections that a change denies')
      .choices(['strict', 'new-connections', 'off'])
      .default('strict'),
  )
  .option('--no-crds', 'leave the definitions out')
  .action(async (options) => (await import('./install.ts')).runInstall(options))

program.commandsGroup('Ask:')
program
  .command('why')
  .description('which way a connection goes, and which object makes it so')
  .argument('[from]', 'pod/NAME, node/NAME or an address, also one outside of the cluster')
  .argument('[to]', 'svc/NAME:PORT, pod/NAME:PORT, ADDRESS:PORT or http(s)://HOST/PATH')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .addOption(thisNode())
  .option('-n, --namespace <namespace>', 'of names that do not say theirs (NAMESPACE/NAME)', 'default')
  .addOption(
    new Option('--protocol <protocol>', 'of the connection; icmp is a ping')
      .choices(['tcp', 'udp', 'sctp', 'icmp'])
      .default('tcp'),
  )
  .addOption(new Option('--family <version>', 'IP family').choices(['4', '6']))
  .option('--method <method>', 'of the request, to a URL')
  .option('-H, --header <line>', 'of the request, NAME: VALUE; may be given again', collect, [])
  .option('--sni <name>', 'that the client sends, unless it is the URL’s host')
  .option('--save <file>', 'write all that the answer rests on into one file, without Secrets')
  .option('--capsule <file>', 'answer from what plumb why --save or doctor --save has written, without a cluster')
  .option(
    '-f, --filename <path>',
    'answer from a manifest, or a folder of them, alone; may be given again',
    collect,
    [],
  )
  .option('--probe', 'send one real packet and follow it through pods and nodes', false)
  .option('--schema', 'print the JSON Schema of answers (-o json), and ask nothing', false)
  .addOption(
    new Option('-o, --output <form>', 'how to print it').choices(['text', 'json', 'mermaid', 'dot']).default('text'),
  )
  .action(async (from: string | undefined, to: string | undefined, options) =>
    (await import('./why.ts')).runWhy(from, to, options),
  )

program
  .command('access')
  .description('print the ClusterRole with the rights that why, show and doctor need: reading alone')
  .option(
    '--agents',
    'also the Role for asking nodes through the pods of Plumb’s agents, which is to be root there',
    false,
  )
  .action(async (options) => (await import('./access.ts')).runAccess(options))

program
  .command('show')
  .description('the whole way in to an object, and who does not take part and why')
  .argument('<target>', 'svc/NAME, pod/NAME, ingress/NAME, gateway/NAME or egress/NAME')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .option('-n, --namespace <namespace>', 'of names that do not say theirs (NAMESPACE/NAME)', 'default')
  .addOption(new Option('-o, --output <form>', 'how to print it').choices(['text', 'json']).default('text'))
  .action(async (target: string, options) => (await import('./show.ts')).runShow(target, options))

program
  .command('doctor')
  .description(
    'find out why something does not answer: probes at every rung, who made an error, and which object to blame',
  )
  .argument('[target]', 'svc/NAME[:PORT], ingress/NAME, gateway/NAME, or http(s)://HOST/PATH')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .addOption(thisNode())
  .option('-n, --namespace <namespace>', 'of names that do not say theirs (NAMESPACE/NAME)', 'default')
  .option('--from <pod>', 'the client; a pod that serves nobody unless named')
  .option('--path <path>', 'what HTTP probes ask for; the readiness probe’s path, or /')
  .option('--fix', 'print the remedy as a patch and try it on the model', false)
  .option('--save <file>', 'write all that was looked at into one file')
  .option('--capsule <file>', 'judge such a file, without a cluster')
  .option('--watch', 'look again every few seconds and tell what changed', false)
  .addOption(new Option('-o, --output <form>', 'how to print it').choices(['text', 'json']).default('text'))
  .action(async (target: string | undefined, options) => (await import('./doctor.ts')).runDoctor(target, options))

program
  .command('ui')
  .description('serve a page that shows the ways in and out, and answers what why, show, reach, flows and addresses do')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .addOption(thisNode())
  .option('-f, --filename <path>', 'show manifests alone; may be given again', collect, [])
  .option('--listen <address:port>', 'where it is served; port 0 is any that is free', '127.0.0.1:0')
  .action(async (options) => (await import('./ui.ts')).runUi(options))

program
  .command('flows')
  .description(
    'flows of late: those that policies denied, or would have denied if they were not audited; requests at gateways',
  )
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .option('--denied', 'flows that policies denied, audited or cut', false)
  .option('--http', 'requests and streams at gateways: route, pod, times, and who made the error', false)
  .option('-n, --namespace <namespace>', 'of pods of this namespace alone')
  .option('-f, --follow', 'go on with those that come', false)
  .addOption(new Option('-o, --output <form>', 'how to print it').choices(['text', 'json']).default('text'))
  .action(async (options) => (await import('./flows.ts')).runFlows(options))

const addresses = program
  .command('addresses')
  .description('external addresses: which node holds each, since when and why, and who answers on the wire')
  .argument('[address]', 'also which nodes may hold this one, and why the others may not')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .addOption(new Option('-o, --output <form>', 'how to print it').choices(['text', 'json']).default('text'))
  .action(async (address: string | undefined, options) =>
    (await import('./addresses.ts')).runAddresses(address, options),
  )
addresses
  .command('move')
  .description('hand an external address over to another node')
  .argument('<address>')
  .argument('<node>')
  .action(async (address: string, node: string, _, command) =>
    (await import('./address-move.ts')).runMove(address, node, command.optsWithGlobals()),
  )
const egress = program.command('egress').description('the addresses under which pods leave the cluster')
egress
  .command('who')
  .description('the pod behind an address and a port that somebody outside saw')
  .argument('<address:port>')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .option('--at <time>', 'when it was seen, as 2026-01-31T12:00:00Z; now unless given')
  .addOption(new Option('-o, --output <form>', 'how to print it').choices(['text', 'json']).default('text'))
  .action(async (seen: string, options) => (await import('./egress.ts')).runWho(seen, options))
egress
  .command('move')
  .description('hand an egress address over to another node; no connection breaks')
  .argument('<address>')
  .argument('<node>')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .action(async (address: string, node: string, options) =>
    (await import('./address-move.ts')).runMove(address, node, options),
  )
program
  .command('node')
  .description('nodes and the external addresses that they hold')
  .command('drain')
  .description('hand the external addresses of a node over to others, and give it none')
  .argument('<node>')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .option('--undo', 'let it take addresses again', false)
  .action(async (node: string, options) => (await import('./node-drain.ts')).runDrain(node, options))

program
  .command('reach')
  .description('who may talk to whom on which ports, and which way Services, gateways and Egresses lead')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .option('-f, --filename <path>', 'manifests instead of a cluster; may be given again', collect, [])
  .addOption(
    new Option('-o, --output <form>', 'how to print it').choices(['table', 'json', 'dot', 'markdown']).default('table'),
  )
  .action(async (options) => (await import('./reach.ts')).runReach(options))
program
  .command('diff')
  .description('what a change opens, closes and leads elsewhere, and which object and field are to blame')
  .argument('<before>', 'a manifest, a folder of them, a capsule, @ for the cluster, or @CONTEXT of the kubeconfig')
  .argument('<after>', 'the same, changed')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(
    new Option('-o, --output <form>', 'how to print it').choices(['table', 'json', 'markdown']).default('table'),
  )
  .action(async (before: string, after: string, options) => (await import('./diff.ts')).runDiff(before, after, options))
program
  .command('check')
  .description('hold assertions about connections, requests, routes and exits against manifests or a cluster')
  .argument('<file>', 'YAML: assertions, each with from, to, port and expect; via, exit and route where they matter')
  .addOption(labName())
  .addOption(kubeconfig())
  .addOption(context())
  .option('-f, --filename <path>', 'manifests instead of a cluster; may be given again', collect, [])
  .addOption(new Option('-o, --output <form>', 'how to print it').choices(['text', 'junit', 'json']).default('text'))
  .action(async (file: string, options) => (await import('./check.ts')).runCheck(file, options))
const policy = program
  .command('policy')
  .description('network policies that people need often, and those for what was seen')
policy
  .command('suggest')
  .description('the least policies for a namespace under which what its pods were seen to do goes on')
  .addOption(labName())
  .addOption(kubeconfig())
  .requiredOption('-n, --namespace <namespace>', 'whose pods')
  .option('--for <seconds>', 'how long to look on', integer, 0)
  .action(async (options) => (await import('./policy-suggest.ts')).runSuggest(options))
policy
  .command('recipe')
  .description('print one, or the list of them')
  .argument('[name]')
  .action(async (name: string | undefined) => (await import('./policy.ts')).runRecipe(name))

program
  .command('ingress')
  .description('Ingresses and what can take their place')
  .command('convert')
  .description('print the Gateway API objects that serve what Ingresses do, and tell what they mean differently')
  .addOption(labName())
  .addOption(kubeconfig())
  .option('-f, --filename <path>', 'a manifest, or a folder of them; may be given again', collect, [])
  .option('-n, --namespace <namespace>', 'of the Ingresses in the cluster', 'default')
  .option('-A, --all-namespaces', 'Ingresses of all namespaces of the cluster', false)
  .option('--gateway <[namespace/]name>', 'the Gateway that is to serve', 'ingress')
  .option('--gateway-class <name>', 'its class', 'plumb')
  .action(async (options) => (await import('./ingress.ts')).runConvert(options))

program.commandsGroup('Roles, each a process:')
const apiserver = program
  .command('apiserver')
  .description('the embedded Kubernetes API server, and care for its store')
  .option('--config <file>', 'JSON: data folder, listeners, certificates, address ranges')
  .action(async (options) => (await import('./roles.ts')).runApiServer(options))
apiserver
  .command('backup')
  .description('copy all objects, as they are at one moment, to a new file')
  .argument('<file>')
  .addOption(kubeconfig())
  .option('--data-dir <folder>', 'of a server that is not running')
  .action(async (file, options) => (await import('./storage.ts')).runBackup(file, options))
apiserver
  .command('restore')
  .description('put a backup into the data folder of a server that is not running')
  .argument('<file>')
  .requiredOption('--data-dir <folder>', 'where the server keeps its objects')
  .option('--replace', 'instead of the store that is there', false)
  .action(async (file, options) => (await import('./storage.ts')).runRestore(file, options))
apiserver
  .command('check')
  .description('look for damage in a backup, or in the data folder of a server that is not running')
  .argument('<file or folder>')
  .action(async (path) => (await import('./storage.ts')).runCheckStore(path))
program
  .command('controllers')
  .description('endpoints, workloads, scheduling, garbage collection')
  .addOption(kubeconfig())
  .addOption(inCluster())
  .option('--cluster-cidr <prefixes>', 'pod prefixes of the whole cluster', '10.244.0.0/16,fd00:244::/56')
  .option('--controllers <names>', 'which ones, as kube-controller-manager takes them', '*')
  .option('--leader-elect', 'take turns with other replicas through a Lease', false)
  .option('--cluster-ca <file>', 'CA certificate for the kube-root-ca.crt ConfigMaps')
  .action(async (options) => (await import('./roles.ts')).runControllers(options))
program
  .command('agent')
  .description('the network of one node')
  .addOption(kubeconfig())
  .addOption(inCluster())
  .requiredOption('--node-name <node>', 'the Node object of this machine')
  .option('--socket <path>', 'where CNI calls and questions arrive', '/run/plumb/agent.sock')
  .option('--health-port <port>', '/healthz, /livez and /metrics; 0 turns it off', integer, 10256)
  .option('--service-cidr <prefixes>', 'prefixes of which only Services have addresses', '10.96.0.0/16,fd00:96::/112')
  .option(
    '--nodeport-addresses <prefixes>',
    'node ports answer at addresses of the node within these, or at the `primary` ones of its Node object',
    'primary',
  )
  .option('--localhost-nodeports', 'TCP node ports answer the node itself at 127.0.0.1 too', false)
  .option(
    '--service-traffic <seconds>',
    'count connections and bytes by Service and tell them so often; 0: never',
    integer,
    0,
  )
  .option('--fast-path', 'connections of more than 20 packets go past the hooks, where the kernel can', false)
  .addOption(heartbeatInterval())
  .option('--mtu <bytes>', 'of the nodes’ links; as they say unless given', integer)
  .option('--vxlan-id <number>', 'of the tunnel to nodes on other segments; the same on all nodes', integer, 80)
  .option('--vxlan-port <port>', 'of the tunnel, UDP; the same on all nodes', integer, 8472)
  .addOption(
    new Option('--policies <mode>', 'NetworkPolicies: strict also cuts connections that a change denies')
      .choices(['strict', 'new-connections', 'off'])
      .default('strict'),
  )
  .option('--cleanup', 'remove everything that the agent put into the kernel, and end', false)
  .action(async (options) => (await import('./roles.ts')).runAgent(options))
program
  .command('look', { hidden: true })
  .description('answer on its input what plumb asks of this node from another machine')
  .action(async () => (await import('./look.ts')).runLook())
program
  .command('discovery')
  .description('instances of Services over HTTP, as Spring Cloud Kubernetes’ discovery server tells them')
  .addOption(kubeconfig())
  .option('--port <port>', 'where to listen', integer, 8761)
  .option('--host <address>', 'listen on this address alone')
  .option('-n, --namespace <namespace>', 'only this one; all unless named')
  .option('--primary-port-name <name>', 'which port to tell of a Service that has several')
  .option('--include-not-ready-addresses', 'also instances that are not ready', false)
  .action(async (options) => (await import('./roles.ts')).runDiscovery(options))
program
  .command('cni')
  .description('CNI plugin: environment and standard input in, result out')
  .action(async () => (await import('./roles.ts')).runCniPlugin())
  .command('install')
  .description('put the plugin where a node’s container runtime looks for it')
  .option('--bin-dir <folder>', 'of plugins', '/opt/cni/bin')
  .option('--conf-dir <folder>', 'of their configurations', '/etc/cni/net.d')
  .option('--socket <path>', 'where the agent listens', '/run/plumb/agent.sock')
  .action(async (options) => (await import('./roles.ts')).runCniInstall(options))
program.command('compile', { hidden: true }).action(async () => (await import('./compile.ts')).compileAll())
program
  .command('lab-supervisor', { hidden: true })
  .requiredOption('--run <folder>', 'the run directory')
  .action(async (options) => (await import('./lab.ts')).runLabSupervisor(options))

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version were asked for and are no failure.
    process.exitCode = error.exitCode === 0 ? exit.ok : exit.usage
  } else {
    say(`plumb: ${error instanceof Error ? error.message : String(error)}`)
    if (process.env.PLUMB_DEBUG !== undefined && error instanceof Error) print(error.stack ?? '')
    process.exitCode = exit.cannot
  }
}
