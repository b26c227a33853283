import { type Command, Option } from 'commander'
import { context, kubeconfig, labName } from './options.ts'

/** External and egress addresses: who holds them, and handing them over. */
export function declareAddressCommands(program: Command): void {
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
}
