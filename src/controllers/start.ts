import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Client } from '../client/index.ts'
import { addressMoveController } from './address-move.ts'
import { announcementGcController } from './announcement-gc.ts'
import { type Controller, type ControllersOptions, openContext } from './context.ts'
import { cronJobController } from './cronjob.ts'
import { daemonSetController } from './daemonset.ts'
import { deploymentController } from './deployment.ts'
import { disruptionController } from './disruption.ts'
import { egressController } from './egress.ts'
import { egressIndexController } from './egress-index.ts'
import { endpointsController } from './endpoints.ts'
import { endpointSliceMirroringController } from './endpointslice-mirroring.ts'
import { endpointSliceController } from './endpointslices.ts'
import { openEventRecorder } from './events.ts'
import { garbageCollector } from './garbage-collector.ts'
import { gatewayController } from './gateway.ts'
import { ingressStatusController } from './ingress-status.ts'
import { jobController } from './job.ts'
import { startElection } from './leader-election.ts'
import { loadBalancerController } from './loadbalancer.ts'
import { namespaceController } from './namespace.ts'
import { nodeIpamController } from './node-ipam.ts'
import { nodeLifecycleController } from './node-lifecycle.ts'
import { ownObjectsController } from './own-objects.ts'
import { podGcController } from './pod-gc.ts'
import { replicaSetController } from './replicaset.ts'
import { schedulerController } from './scheduler.ts'
import { rootCaController, serviceAccountController } from './service-account.ts'
import { statefulSetController } from './statefulset.ts'
import { taintEvictionController } from './taint-eviction.ts'
import { volumeBinderController } from './volume-binder.ts'

/** Every controller by the name that `--controllers` takes: upstream's, where upstream has one. */
const controllers: Readonly<Record<string, Controller>> = {
  'serviceaccount-controller': serviceAccountController,
  'root-ca-certificate-publisher-controller': rootCaController,
  'node-ipam-controller': nodeIpamController,
  'default-scheduler': schedulerController,
  'deployment-controller': deploymentController,
  'replicaset-controller': replicaSetController,
  'statefulset-controller': statefulSetController,
  'daemonset-controller': daemonSetController,
  'job-controller': jobController,
  'cronjob-controller': cronJobController,
  'disruption-controller': disruptionController,
  'endpoints-controller': endpointsController,
  'endpointslice-controller': endpointSliceController,
  'endpointslice-mirroring-controller': endpointSliceMirroringController,
  'ingress-status': ingressStatusController,
  gateway: gatewayController,
  'own-objects': ownObjectsController,
  'loadbalancer-addresses': loadBalancerController,
  'egress-addresses': egressController,
  'egress-index': egressIndexController,
  'address-moves': addressMoveController,
  'announcement-garbage-collector': announcementGcController,
  'namespace-controller': namespaceController,
  'garbage-collector-controller': garbageCollector,
  'node-lifecycle-controller': nodeLifecycleController,
  'taint-eviction-controller': taintEvictionController,
  'pod-garbage-collector-controller': podGcController,
  'persistentvolume-binder-controller': volumeBinderController,
}

/** Running controllers. */
export interface Controllers {
  /** Ends the work under way and gives up the lease. The client stays open. */
  close(): Promise<void>
}

/**
 * Starts the chosen controllers. Resolves when their informers are synced and they work; with `leaderElect` at once, as the
 * lease may be another's for long. Throws on a name that no controller has.
 */
export async function startControllers(setup: {
  readonly client: Client
  readonly options?: ControllersOptions
}): Promise<Controllers> {
  const { client, options = {} } = setup
  const chosen = chooseControllers(options.controllers ?? ['*'])
  const run = () => runControllers(client, options, chosen)
  if (!options.leaderElect) return run()
  const identity = options.identity ?? `${hostname()}_${randomBytes(4).toString('hex')}`
  return startElection(client, {
    namespace: 'kube-system',
    name: 'plumb-controllers',
    identity,
    onLead: async () => {
      const running = await run()
      return { stop: () => running.close() }
    },
    ...(options.onTrouble && { onTrouble: options.onTrouble }),
  })
}

async function runControllers(
  client: Client,
  options: ControllersOptions,
  chosen: readonly string[],
): Promise<Controllers> {
  const events = openEventRecorder(client)
  const context = openContext(client, options, events)
  for (const name of chosen) controllers[name]?.(context)
  await context.start()
  return {
    async close() {
      await context.close()
      await events.flush()
    },
  }
}

/** The names that a `--controllers` list leaves: `*`, names, and `-name` for exceptions. */
export function chooseControllers(list: readonly string[]): string[] {
  const names = Object.keys(controllers)
  for (const entry of list) {
    const name = entry.replace(/^-/, '')
    if (name !== '*' && !names.includes(name))
      throw new TypeError(`--controllers: there is no controller "${name}" (known: ${names.join(', ')})`)
  }
  const isOut = (name: string) => list.includes(`-${name}`)
  return names.filter((name) => !isOut(name) && (list.includes(name) || list.includes('*')))
}
