import type { Command } from 'commander'
import { collect, heartbeatInterval, integer, labName } from './options.ts'

/** A cluster of namespaces on this machine, from its start to its end. */
export function declareLabCommands(program: Command): void {
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
}
