import { familyOf } from '../../addr/index.ts'
import { keyOf } from '../../cluster/index.ts'
import type { Rule } from '../cause.ts'
import { inPod } from '../examination.ts'
import { findBad } from '../probe.ts'
import { patchService, proofOf, serviceOf } from '../words.ts'
import { socketsOf } from './sockets.ts'

/** The Service has two families and the application listens in one. */
export const oneFamily: Rule = {
  covers: ['18', '94'],
  judge(examination) {
    const { subject } = examination
    const pods = [...new Set(subject.backends.flatMap(({ pod }) => (pod === undefined ? [] : [keyOf(pod)])))]
    for (const pod of pods) {
      const direct = inPod(examination, 'pod', pod)
      const good = direct.find((one) => one.good)
      const bad = direct.find((one) => findBad(one.result)?.kind === 'refused')
      if (good === undefined || bad === undefined || good.probe.port !== bad.probe.port) continue
      const [has, lacks] = [familyOf(good.probe.address), familyOf(bad.probe.address)]
      if (has === lacks) continue
      const sockets = socketsOf(examination, pod)
      if (sockets?.some((one) => one.port === bad.probe.port && familyOf(one.address) === lacks)) continue
      return [
        {
          confidence: 'certain',
          object: `pod/${pod}`,
          field: 'spec.containers',
          value: `IPv${has}`,
          says: `the application listens in IPv${has} alone, and ${serviceOf(subject)} offers IPv${lacks} too`,
          proof: [proofOf(good), proofOf(bad)],
          twin: 'an application that is down refuses both families',
          fix: {
            says: `let the application listen on ${lacks === 6 ? '::' : '0.0.0.0'} too, or offer IPv${has} alone`,
            patch: patchService(subject, {
              spec: {
                ipFamilyPolicy: 'SingleStack',
                ipFamilies: [`IPv${has}`],
                ...firstIp(subject.service.spec.clusterIPs, has),
              },
            }),
          },
          rung: 'pod',
        },
      ]
    }
    return []
  },
}

/** The API keeps the first ClusterIP: only the second can be given up. */
function firstIp(clusterIPs: readonly string[] = [], family: 4 | 6): object {
  const own = clusterIPs.find((one) => one.includes(':') === (family === 6))
  return own === undefined ? {} : { clusterIPs: [own] }
}
