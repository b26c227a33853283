import { keyOf } from '../../cluster/index.ts'
import { compileService } from '../../services/index.ts'
import type { Rule } from '../cause.ts'
import { serviceOf } from '../words.ts'

/** No node serves the Service, and none should: ExternalName, or another proxy's. */
export const notServed: Rule = {
  covers: ['10'],
  judge({ snapshot, subject }) {
    const { service } = subject
    const { subject: meaning } = compileService(service, snapshot.slicesOf(keyOf(service)), {
      name: '',
      zone: undefined,
      addresses: [],
      nodePortAddresses: [],
    })
    if (meaning.kind !== 'ignored' || meaning.reason === 'headless') return []
    const { because } = meaning
    const says = {
      'external-name': `the Service is an alias for ${service.spec.externalName}: no node serves it, and HTTP servers there may not know the Host that clients send`,
      'other-proxy': 'the Service asks for another proxy than this one',
      'no-cluster-ip': 'the Service has no ClusterIP yet',
    }[meaning.reason]
    const isAddress = meaning.reason === 'external-name' && /^[\d.]+$|:/.test(service.spec.externalName ?? '')
    return [
      {
        confidence: isAddress || meaning.reason !== 'external-name' ? 'certain' : 'possible',
        object: serviceOf(subject),
        field: isAddress ? 'spec.externalName' : because.field,
        value: isAddress ? (service.spec.externalName ?? '') : because.value,
        says: isAddress
          ? `externalName ${service.spec.externalName} is an address, and DNS aliases are names: it does not resolve`
          : says,
        proof: [],
        fix: {
          says: isAddress
            ? 'use a Service without a selector and an EndpointSlice with the address'
            : 'see whether that is meant',
        },
        rung: 'name',
      },
    ]
  },
}
