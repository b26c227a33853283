import type { Client } from '../client/index.ts'
import { type Controller, type ControllersOptions, openContext } from './context.ts'
import { deploymentController } from './deployment.ts'
import { endpointsController } from './endpoints.ts'
import { endpointSliceMirroringController } from './endpointslice-mirroring.ts'
import { endpointSliceController } from './endpointslices.ts'
import { openEventRecorder } from './events.ts'
import { nodeIpamController } from './node-ipam.ts'
import { replicaSetController } from './replicaset.ts'
import { schedulerController } from './scheduler.ts'
import { rootCaController, serviceAccountController } from './service-account.ts'

/** Every controller by the name that `--controllers` takes. */
export const controllers: Readonly<Record<string, Controller>> = {
  'serviceaccount-controller': serviceAccountController,
  'root-ca-certificate-publisher-controller': rootCaController,
  'node-ipam-controller': nodeIpamController,
  'default-scheduler': schedulerController,
  'deployment-controller': deploymentController,
  'replicaset-controller': replicaSetController,
  'endpoints-controller': endpointsController,
  'endpointslice-controller': endpointSliceController,
  'endpointslice-mirroring-controller': endpointSliceMirroringController,
}

/** Running controllers. */
export interface Controllers {
  /** Ends the work under way and gives up the lease. The client stays open. */
  close(): Promise<void>
}

/**
 * Starts the chosen controllers; resolves when their informers are synced and they work, or at once when a lease is
 * to be won first. Throws on a name that no controller has.
 */
export async function startControllers(setup: {
  readonly client: Client
  readonly options?: ControllersOptions
}): Promise<Controllers> {
  const { client, options = {} } = setup
  const chosen = chooseControllers(options.controllers ?? ['*'])
  const events = openEventRecorder(client)
  const context = openContext(client, options, events)
  for (const name of chosen) controllers[name]?.(context)
  await context.start()
  return { close: () => context.close() }
}

/** The names that a `--controllers` list leaves: `*`, names, and `-name` for exceptions. */
export function chooseControllers(list: readonly string[]): string[] {
  const names = Object.keys(controllers)
  for (const entry of list) {
    const name = entry.replace(/^-/, '')
    if (name !== '*' && !names.includes(name))
      throw new TypeError(`--controllers: there is no controller "${name}" (known: ${names.join(', ')})`)
  }
  return names.filter((name) => list.includes(name) || (list.includes('*') && !list.includes(`-${name}`)))
}
