import { type Command, Option } from 'commander'
import { heartbeatInterval, inCluster, integer, kubeconfig } from './options.ts'

/** The processes that Plumb is made of, those that it starts by itself hidden. */
export function declareRoleCommands(program: Command): void {
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
}
