import { keyOf } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { perObject } from './remember.ts'

/** networking.k8s.io/v1 Ingress, the fields that are read. */
export interface Ingress extends KubeObject {
  spec?: {
    ingressClassName?: string
    defaultBackend?: IngressBackend
    tls?: { hosts?: string[]; secretName?: string }[]
    rules?: { host?: string; http?: { paths?: IngressPath[] } }[]
  }
  status?: { loadBalancer?: { ingress?: { ip?: string; hostname?: string }[] } }
}

export interface IngressPath {
  path?: string
  pathType?: 'Exact' | 'Prefix' | 'ImplementationSpecific'
  backend: IngressBackend
}

export interface IngressBackend {
  service?: { name: string; port?: { name?: string; number?: number } }
  resource?: { apiGroup?: string; kind: string; name: string }
}

/** networking.k8s.io/v1 IngressClass. */
export interface IngressClass extends KubeObject {
  spec?: { controller?: string }
}

/** A Secret as TLS needs it; data is base64. */
export interface Secret extends KubeObject {
  type?: string
  data?: Record<string, string>
  /** What it was when its certificate could be used, where that is known: an update that went wrong takes no host off the network. */
  before?: Secret
}

/** How findings name an Ingress. */
export const objectOf = perObject((ingress: Ingress) => `ingress/${keyOf(ingress)}`)
