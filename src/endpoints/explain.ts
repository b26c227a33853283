import { type Because, keyOf } from '../cluster/index.ts'
import type { EndpointSlice, Node, Pod, Service } from '../objects/index.ts'
import { familyNumber, hasSelectedEndpoints, sliceFamilies } from './address-types.ts'
import { hasEnded, isTerminating, podAddresses, readyCondition } from './pod-state.ts'
import { findTargetPort } from './ports.ts'

/** One thing that had to hold. `blocks` keeps the Pod out or takes it out of use; `notes` does not, but somebody should know. */
export interface EndpointStep {
  readonly kind: 'holds' | 'blocks' | 'notes'
  readonly says: string
  readonly because: Because
  /** What to change, where there is something to change. */
  readonly try?: string
}

/** What a Pod is to a Service. */
export interface EndpointExplanation {
  /** `ready` takes new connections, `unready` is listed only, `absent` is in no slice. */
  readonly verdict: 'ready' | 'unready' | 'absent'
  readonly says: string
  readonly steps: readonly EndpointStep[]
}

export interface EndpointQuestion {
  readonly service: Service
  readonly pod: Pod
  readonly node: Node | undefined
  /** The Service port that is asked about; all of them without it. */
  readonly port?: number
  /** The Service's slices as stored; when given, the answer also says whether they have caught up. */
  readonly slices?: readonly EndpointSlice[]
}

/** Why a Pod is or is not an endpoint of a Service: everything that `compileEndpointSlices` asks, in its order. */
export function explainEndpoint(question: EndpointQuestion): EndpointExplanation {
  const { service, pod, port } = question
  const absent = [...selectionSteps(service, pod), ...placeSteps(question)]
  const use = [...portSteps(service, pod, port), ...readinessSteps(service, pod)]
  const blockedBy = absent.find(({ kind }) => kind === 'blocks')
  const names = `pod/${keyOf(pod)} of service/${keyOf(service)}`
  if (blockedBy !== undefined) {
    const says = `pod/${keyOf(pod)} is no endpoint of service/${keyOf(service)}: ${blockedBy.says}`
    return { verdict: 'absent', says, steps: absent }
  }
  const steps = [...absent, ...use, ...sliceSteps(question)]
  const unready = steps.find(({ kind }) => kind === 'blocks')
  if (unready !== undefined)
    return { verdict: 'unready', says: `endpoint ${names} takes no traffic: ${unready.says}`, steps }
  return { verdict: 'ready', says: `endpoint ${names} is ready`, steps }
}

function selectionSteps(service: Service, pod: Pod): EndpointStep[] {
  const object = `service/${keyOf(service)}`
  if (service.spec.type === 'ExternalName')
    return [blocks('an ExternalName Service has no endpoints', object, 'spec.type', 'ExternalName')]
  if (!hasSelectedEndpoints(service)) {
    const says = 'the Service has no selector, so its EndpointSlices are kept by hand'
    return [blocks(says, object, 'spec.selector', '{}', 'set spec.selector, or list the address in an EndpointSlice')]
  }
  const { namespace = '', labels = {} } = pod.metadata
  if (namespace !== service.metadata.namespace) {
    const says = `a Service selects Pods of its own namespace ${service.metadata.namespace} only`
    return [blocks(says, `pod/${keyOf(pod)}`, 'metadata.namespace', namespace)]
  }
  return Object.entries(service.spec.selector ?? {}).map(([key, wanted]) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    if (value === wanted) return holds(`label ${key}=${wanted} is selected`, object, `spec.selector[${key}]`, wanted)
    const has = value === undefined ? `has no label ${key}` : `has ${key}=${value}`
    return blocks(
      `the selector wants ${key}=${wanted}, the Pod ${has}`,
      object,
      `spec.selector[${key}]`,
      wanted,
      `set the label ${key}=${wanted} in the Pod's template, or change the selector`,
    )
  })
}

function placeSteps({ service, pod, node }: EndpointQuestion): EndpointStep[] {
  const object = `pod/${keyOf(pod)}`
  const steps: EndpointStep[] = []
  if (hasEnded(pod)) steps.push(blocks('the Pod has ended', object, 'status.phase', pod.status?.phase ?? ''))
  const addresses = podAddresses(pod)
  if (addresses.length === 0) steps.push(blocks('the Pod has no address yet', object, 'status.podIPs', ''))
  for (const type of addresses.length === 0 ? [] : sliceFamilies(service)) {
    const found = podAddresses(pod, familyNumber(type))
    if (found.length > 0)
      steps.push(holds(`it has the ${type} address ${found[0]}`, object, 'status.podIPs', found.join(',')))
    else
      steps.push(
        notes(
          `it has no ${type} address, so it is missing from the ${type} slices`,
          object,
          'status.podIPs',
          addresses.join(','),
        ),
      )
  }
  if (addresses.length > 0 && steps.every(({ kind }) => kind === 'notes'))
    steps.push(
      blocks(
        `it has no address of the Service's families`,
        `service/${keyOf(service)}`,
        'spec.ipFamilies',
        sliceFamilies(service).join(','),
      ),
    )
  if (node === undefined) steps.push(missingNode(service, pod))
  return steps
}

function missingNode(service: Service, pod: Pod): EndpointStep {
  const name = pod.spec.nodeName ?? ''
  const says = `its Node "${name}" does not exist`
  const object = `pod/${keyOf(pod)}`
  if (service.spec.publishNotReadyAddresses === true)
    return notes(
      `${says}; it is listed all the same, without a zone (publishNotReadyAddresses)`,
      object,
      'spec.nodeName',
      name,
    )
  return blocks(says, object, 'spec.nodeName', name, 'create the Node again or delete the Pod')
}

function portSteps(service: Service, pod: Pod, asked: number | undefined): EndpointStep[] {
  const object = `service/${keyOf(service)}`
  const steps = (service.spec.ports ?? []).flatMap((port, i): EndpointStep[] => {
    if (asked !== undefined && port.port !== asked) return []
    const field = `spec.ports[${i}].targetPort`
    const target = String(port.targetPort ?? port.port)
    const protocol = port.protocol ?? 'TCP'
    const number = findTargetPort(pod, port)
    if (number === undefined) return [missingPort(pod, object, field, target, protocol)]
    const declared = pod.spec.containers.some(({ ports }) =>
      ports?.some((p) => p.containerPort === number && (p.protocol ?? 'TCP') === protocol),
    )
    if (declared) return [holds(`port ${port.port} goes to ${protocol} ${number}`, object, field, target)]
    // Legal, because container ports are only documentation; often a typing mistake all the same.
    return [
      notes(`port ${port.port} goes to ${protocol} ${number}, which no container declares`, object, field, target),
    ]
  })
  if (steps.every(({ kind }) => kind === 'blocks')) return steps
  // The other ports work: without a question about this one it is a remark.
  return steps.map((step) => (step.kind === 'blocks' ? { ...step, kind: 'notes' } : step))
}

function missingPort(pod: Pod, object: string, field: string, target: string, protocol: string): EndpointStep {
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? [])
  const other = ports.find(({ name }) => name === target)
  const names = ports.flatMap(({ name, protocol: p = 'TCP' }) => (name && p === protocol ? [name] : []))
  const says =
    other === undefined
      ? `"${target}" names no ${protocol} container port in the Pod${names.length > 0 ? ` (it has ${names.join(', ')})` : ''}`
      : `container port "${target}" is ${other.protocol ?? 'TCP'}, the Service's port ${protocol}`
  return blocks(says, object, field, target, 'name the port in the Pod template, or use its number as targetPort')
}

function readinessSteps(service: Service, pod: Pod): EndpointStep[] {
  const object = `pod/${keyOf(pod)}`
  const unready = service.spec.publishNotReadyAddresses === true
  const condition = readyCondition(pod)
  const steps: EndpointStep[] = []
  const report = (says: string, field: string, value: string, remedy?: string) =>
    steps.push(
      unready
        ? notes(`${says}; published all the same (publishNotReadyAddresses)`, object, field, value)
        : blocks(says, object, field, value, remedy),
    )
  if (condition?.status === 'True') steps.push(holds('it is Ready', object, 'status.conditions[Ready]', 'True'))
  else {
    const reason = [condition?.reason, condition?.message].filter(Boolean).join(': ')
    const says =
      condition === undefined ? 'it has no Ready condition yet' : `it is not Ready${reason ? ` (${reason})` : ''}`
    report(says, 'status.conditions[Ready]', condition?.status ?? '', 'look at its readiness probe and containers')
  }
  if (isTerminating(pod)) {
    const says = 'it is terminating; it serves only while the Service has no ready endpoint'
    report(says, 'metadata.deletionTimestamp', pod.metadata.deletionTimestamp ?? '')
  }
  return steps
}

function sliceSteps({ service, pod, slices }: EndpointQuestion): EndpointStep[] {
  if (slices === undefined) return []
  const steps: EndpointStep[] = []
  for (const address of podAddresses(pod)) {
    const slice = slices.find(({ endpoints }) => endpoints.some(({ addresses }) => addresses.includes(address)))
    if (slice !== undefined)
      steps.push(holds(`${address} is listed`, `endpointslice/${keyOf(slice)}`, 'endpoints', address))
  }
  if (steps.length > 0) return steps
  const says = 'no EndpointSlice lists it yet'
  return [
    blocks(
      says,
      `service/${keyOf(service)}`,
      'endpointslices',
      String(slices.length),
      'see whether the controllers run',
    ),
  ]
}

function holds(says: string, object: string, field: string, value: string): EndpointStep {
  return { kind: 'holds', says, because: { object, field, value } }
}

function notes(says: string, object: string, field: string, value: string): EndpointStep {
  return { kind: 'notes', says, because: { object, field, value } }
}

function blocks(says: string, object: string, field: string, value: string, remedy?: string): EndpointStep {
  return { kind: 'blocks', says, because: { object, field, value }, ...(remedy !== undefined && { try: remedy }) }
}
