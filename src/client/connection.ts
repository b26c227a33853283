/** Where an API server is and how to prove who is asking. Certificates and keys are PEM text. */
export interface Credentials {
  /** `https://172.30.0.2:6443`, with an optional path prefix. */
  readonly server: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** Asked for each request, so that rotated tokens are seen. */
  readonly token?: () => string
  readonly basic?: { readonly username: string; readonly password: string }
  readonly serverName?: string
  readonly insecureSkipTlsVerify?: boolean
  /** The namespace of the kubeconfig's context or of the service account. */
  readonly namespace?: string
}

/** What `connect` takes: one of `kubeconfig`, `inCluster` and `server`. */
export interface ConnectOptions {
  /** A path, or the text itself (YAML or JSON). */
  readonly kubeconfig?: string
  /** The context to use instead of `current-context`. */
  readonly context?: string
  readonly inCluster?: true
  readonly server?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly token?: string
  readonly serverName?: string
  readonly insecureSkipTlsVerify?: boolean
  readonly userAgent: string
  /** A request without an answer for so long fails. Default 60,000 ms; watches are not concerned. */
  readonly timeoutMs?: number
  /** Concurrent requests, watches apart. Default 32. */
  readonly maxConnections?: number
  /** A watch that has shown itself to send bookmarks is cut after so long a silence. Default 150,000 ms. */
  readonly stallMs?: number
  /** A server that watches have not heard of for so long is asked whether it is there. Default 5000 ms. */
  readonly silentMs?: number
  /** Told of every failed list or watch of an informer, in words; the informer tries again by itself. */
  readonly onTrouble?: (message: string) => void
}
