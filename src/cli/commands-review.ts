import { type Command, Option } from 'commander'
import { collect, context, integer, kubeconfig, labName } from './options.ts'

/** Objects looked at as a whole: who reaches whom, what a change would do, and what could take their place. */
export function declareReviewCommands(program: Command): void {
  program
    .command('reach')
    .description('who may talk to whom on which ports, and which way Services, gateways and Egresses lead')
    .addOption(labName())
    .addOption(kubeconfig())
    .addOption(context())
    .option('-f, --filename <path>', 'manifests instead of a cluster; may be given again', collect, [])
    .addOption(
      new Option('-o, --output <form>', 'how to print it')
        .choices(['table', 'json', 'dot', 'markdown'])
        .default('table'),
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
    .action(async (before: string, after: string, options) =>
      (await import('./diff.ts')).runDiff(before, after, options),
    )
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
}
