import { Command, CommanderError } from 'commander'
import { declareAddressCommands } from './commands-addresses.ts'
import { declareAskCommands } from './commands-ask.ts'
import { declareInstallCommand } from './commands-install.ts'
import { declareLabCommands } from './commands-lab.ts'
import { declareReviewCommands } from './commands-review.ts'
import { declareRoleCommands } from './commands-roles.ts'
import { exit, print, say } from './output.ts'

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

program.commandsGroup('Try it on this machine:')
declareLabCommands(program)
program.commandsGroup('Run a cluster’s network:')
declareInstallCommand(program)
program.commandsGroup('Ask:')
declareAskCommands(program)
declareAddressCommands(program)
declareReviewCommands(program)
program.commandsGroup('Roles, each a process:')
declareRoleCommands(program)

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
