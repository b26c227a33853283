import { type Host, HostError, type Namespace } from '../host/index.ts'
import { type CniError, type CniRequest, cniFailure } from './cni-server.ts'

/** What the CNI plugin `loopback` answers to ADD, with upstream's fields. */
interface LoopbackResult {
  readonly cniVersion: '1.1.0'
  readonly interfaces: readonly { readonly name: 'lo'; readonly mac: string; readonly sandbox: string }[]
  readonly ips: readonly { readonly address: string; readonly interface: 0 }[]
  readonly dns: Record<string, never>
}

/** Answers one call of the CNI plugin `loopback`: `lo` of the pod's namespace up, and down again. It needs nothing that the node is told. */
export function answerLoopback(
  host: Host,
  { command, netns }: CniRequest,
): LoopbackResult | CniError | Record<string, never> {
  if (command === 'STATUS' || command === 'GC') return {}
  if (netns === undefined) return command === 'DEL' ? {} : cniFailure(4, `${command} needs CNI_NETNS`)
  let namespace: Namespace
  try {
    namespace = host.openNamespace(netns)
  } catch (error) {
    // A pod may be gone with its namespace.
    return command === 'DEL' ? {} : cniFailure(3, `no network namespace at ${netns}: ${String(error)}`)
  }
  try {
    const { network } = namespace
    switch (command) {
      case 'DEL':
        network.setLink('lo', { up: false })
        return {}
      case 'CHECK':
        return network.findLink('lo')?.up === true ? {} : cniFailure(100, `lo is down in ${netns}`)
      case 'ADD':
        network.setLink('lo', { up: true })
        return {
          cniVersion: '1.1.0',
          interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: netns }],
          ips: ['127.0.0.1/8', '::1/128'].map((address) => ({ address, interface: 0 })),
          dns: {},
        }
      default:
        return cniFailure(
          4,
          `CNI_COMMAND "${String(command satisfies never)}" is not one of ADD, DEL, CHECK, GC, STATUS`,
        )
    }
  } catch (error) {
    if (error instanceof HostError) return cniFailure(100, error.message)
    throw error
  } finally {
    namespace.close()
  }
}
