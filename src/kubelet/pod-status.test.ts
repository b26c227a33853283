import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '../objects/index.ts'
import { type ContainerRecord, type ContainerRole, newRecord } from './container-record.ts'
import { computePhase, computePodStatus } from './pod-status.ts'

const facts = {
  startTime: 't0',
  hostAddresses: ['172.30.0.11'],
  podAddresses: ['10.244.1.2', 'fd00::2'],
  sandbox: true,
}

function pod(spec: Partial<Pod['spec']> = {}, status: Pod['status'] = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n' },
    spec: { containers: [], ...spec },
    status,
  }
}

/** `r` runs unready, `R` runs ready, `w` waits, `b` waits after a crash, digits have ended with that code. */
function records(letters: string, role: ContainerRole = 'app'): ContainerRecord[] {
  return [...letters].map((letter, i) => {
    const record = newRecord({ name: `${role}${i}` }, role, false)
    if (letter === 'r' || letter === 'R') {
      const ready = letter === 'R'
      return { ...record, state: { running: { startedAt: 't1' } }, started: ready, ready }
    }
    const ended = { terminated: { exitCode: Number(letter) } }
    if (letter === 'b') return { ...record, lastState: { terminated: { exitCode: 1 } } }
    return letter === 'w' ? record : { ...record, state: ended }
  })
}

const phases: readonly (readonly [string, string, string, string])[] = [
  // init, app, restartPolicy, phase
  ['', 'w', 'Always', 'Pending'],
  ['', 'rw', 'Always', 'Pending'],
  ['', 'rR', 'Always', 'Running'],
  ['', 'Rb', 'Always', 'Running'],
  ['', 'b', 'Always', 'Running'],
  ['', '0', 'Always', 'Running'],
  ['', '0', 'Never', 'Succeeded'],
  ['', '00', 'OnFailure', 'Succeeded'],
  ['', '01', 'Never', 'Failed'],
  ['', '01', 'OnFailure', 'Running'],
  ['', 'r1', 'Never', 'Running'],
  ['r', 'w', 'Always', 'Pending'],
  ['1', 'w', 'Never', 'Failed'],
  ['1', 'w', 'Always', 'Pending'],
  ['0', 'R', 'Always', 'Running'],
]

for (const [init, app, restartPolicy, phase] of phases) {
  test(`phase of init [${init}] app [${app}] with ${restartPolicy} is ${phase}`, () => {
    const subject = pod({ restartPolicy: restartPolicy as 'Always' })
    assert.equal(computePhase(subject, [...records(init, 'init'), ...records(app)]), phase)
  })
}

test('a sidecar that was stopped after the app does not hold the pod back', () => {
  const all = [...records('0', 'sidecar'), ...records('0')]
  assert.equal(computePhase(pod({ restartPolicy: 'Never' }), all), 'Succeeded')
  assert.equal(computePhase(pod(), [...records('w', 'sidecar'), ...records('w')]), 'Pending')
})

function conditions(subject: Pod, all: ContainerRecord[]): Record<string, string> {
  const { conditions: list = [] } = computePodStatus(subject, all, facts, 'now')
  return Object.fromEntries(
    list.map(({ type, status, reason, message }) => [type, [status, reason, message].filter(Boolean).join(' ')]),
  )
}

test('a ready pod has five true conditions and no reasons', () => {
  assert.deepEqual(conditions(pod(), records('R')), {
    PodReadyToStartContainers: 'True',
    Initialized: 'True',
    Ready: 'True',
    ContainersReady: 'True',
    PodScheduled: 'True',
  })
})

test('unready and uninitialised containers are named as kubelet names them', () => {
  const seen = conditions(pod(), [...records('0r', 'init'), ...records('ww')])
  assert.equal(seen.Initialized, 'False ContainersNotInitialized containers with incomplete status: [init1]')
  assert.equal(seen.Ready, 'False ContainersNotReady containers with unready status: [app0 app1]')
})

test('a readiness gate holds Ready back, not ContainersReady', () => {
  const subject = pod({ readinessGates: [{ conditionType: 'x/gate' }] })
  const seen = conditions(subject, records('R'))
  assert.equal(
    seen.Ready,
    'False ReadinessGatesNotReady corresponding condition of pod readiness gate "x/gate" does not exist.',
  )
  assert.equal(seen.ContainersReady, 'True')
  const open = pod(subject.spec, { conditions: [{ type: 'x/gate', status: 'True' }] })
  assert.equal(conditions(open, records('R')).Ready, 'True')
  assert.equal(conditions(open, records('R'))['x/gate'], 'True', 'conditions of others stay')
})

test('a completed pod is initialised and not ready, with reasons', () => {
  const seen = conditions(pod({ restartPolicy: 'Never' }), records('0'))
  assert.equal(seen.Ready, 'False PodCompleted')
  assert.equal(seen.Initialized, 'True PodCompleted')
})

test('the time of a transition stays as long as the status does', () => {
  const before = { conditions: [{ type: 'Ready', status: 'True' as const, lastTransitionTime: 'then' }] }
  const kept = computePodStatus(pod({}, before), records('R'), facts, 'now').conditions
  assert.equal(kept?.find(({ type }) => type === 'Ready')?.lastTransitionTime, 'then')
  const changed = computePodStatus(pod({}, before), records('r'), facts, 'now').conditions
  assert.equal(changed?.find(({ type }) => type === 'Ready')?.lastTransitionTime, 'now')
})

test('addresses, IPv4 first, and container statuses', () => {
  const status = computePodStatus(pod(), records('R'), facts, 'now')
  assert.equal(status.podIP, '10.244.1.2')
  assert.deepEqual(status.podIPs, [{ ip: '10.244.1.2' }, { ip: 'fd00::2' }])
  assert.equal(status.hostIP, '172.30.0.11')
  assert.equal(status.containerStatuses?.[0]?.ready, true)
})
