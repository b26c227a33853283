import { type Command, Option } from 'commander'
import { collect, context, kubeconfig, labName, thisNode } from './options.ts'

/** Why a connection goes the way that it goes, what does not work, and what was seen. */
export function declareAskCommands(program: Command): void {
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
    .description(
      'serve a page that shows the ways in and out, and answers what why, show, reach, flows and addresses do',
    )
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
}
