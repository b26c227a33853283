import { connect } from '../client/index.ts'
import { startElection } from './leader-election.ts'

// A contender of leader-election.test.ts: says when it begins and ends to lead, and leaves a mark at each piece of work.
const [kubeconfig = '', identity = ''] = process.argv.slice(2)
const client = connect({ kubeconfig, userAgent: identity })
const say = (what: string) => process.stdout.write(`${JSON.stringify({ what, at: Date.now() })}\n`)
const election = startElection(client, {
  namespace: 'default',
  name: 'contest',
  identity,
  leaseSeconds: 6,
  renewDeadlineMs: 5000,
  retryMs: 400,
  onLead: async () => {
    say('leads')
    return {
      stop: async () => {
        say('follows')
      },
    }
  },
})
process.once('SIGTERM', () => void election.close().then(() => client.close()))
