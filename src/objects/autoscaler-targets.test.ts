import assert from 'node:assert/strict'
import { test } from 'node:test'
import { autoscalerTargets } from './autoscaler-targets.ts'

const cpu = { type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 50 } } }
const memory = { type: 'Resource', resource: { name: 'memory', target: { averageValue: '1Gi' } } }
const pods = { type: 'Pods', pods: { metric: { name: 'requests' }, target: { averageValue: '10' } } }
const queue = { type: 'External', external: { metric: { name: 'length' }, target: { value: '3' } } }
const measured = { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 12 } } }

const cases: readonly [string, object, object, string][] = [
  ['nothing', {}, {}, '<none>'],
  ['of autoscaling/v1', { targetCPUUtilizationPercentage: 80 }, {}, 'cpu: <unknown>/80%'],
  ['measured', { metrics: [cpu, memory] }, { currentMetrics: [measured] }, 'cpu: 12%/50%, memory: <unknown>/1Gi'],
  ['of pods and from outside', { metrics: [pods, queue] }, {}, '<unknown>/10, <unknown>/3'],
  ['too many', { metrics: [cpu, pods, queue] }, {}, 'cpu: <unknown>/50%, <unknown>/10 + 1 more...'],
]
for (const [name, spec, status, expected] of cases) {
  test(`targets: ${name}`, () => {
    const apiVersion = 'autoscaling/v2'
    assert.equal(autoscalerTargets({ apiVersion, kind: 'X', metadata: { name: 'x' }, spec, status }), expected)
  })
}
