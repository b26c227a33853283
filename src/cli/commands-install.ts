import { type Command, Option } from 'commander'

/** How Plumb becomes the network of a cluster that is there. */
export function declareInstallCommand(program: Command): void {
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
}
