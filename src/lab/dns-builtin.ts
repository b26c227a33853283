import type { Client } from '../client/index.ts'
import type { Host } from '../host/index.ts'
import type { LabNetwork } from './config.ts'
import type { Builtin } from './kubelet-door.ts'
import { StandIn } from './stand-in.ts'

export function dnsBuiltin(host: Host, _client: Client, _network: LabNetwork): Builtin {
  return async (pod, container, namespace) =>
    StandIn.start(
      host,
      namespace,
      { pod: pod.metadata.name, namespace: '', node: '', container: container.name, image: '' },
      [{ protocol: 'TCP', port: 53 }],
    )
}
