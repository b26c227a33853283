import { InvalidArgumentError, Option } from 'commander'

export const integer = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number.')
  return Number(text)
}
export const collect = (value: string, previous: string[]): string[] => [...previous, value]

export const labName = () => new Option('--name <lab>', 'which lab').default('lab').env('PLUMB_LAB')
export const inCluster = () => new Option('--in-cluster', 'reach it as the ServiceAccount of this pod').default(false)
export const kubeconfig = () => new Option('--kubeconfig <file>', 'how to reach the API server').env('KUBECONFIG')
export const context = () => new Option('--context <name>', 'of the kubeconfig; its current one unless named')
export const heartbeatInterval = () =>
  new Option(
    '--heartbeat-interval <ms>',
    'between heartbeats of the nodes, 20 to 400, the same on all; a node that is silent for two and a half loses external addresses (200)',
  ).argParser((text) => {
    const ms = integer(text)
    if (ms >= 20 && ms <= 400) return ms
    throw new InvalidArgumentError('Give 20 to 400 milliseconds.')
  })
export const thisNode = () =>
  new Option('--node <name>', 'the node that this machine is; its addresses tell unless named')
