import type { KubeObject } from '../objects/index.ts'

/** A socket to accept connections on: one inherited from the parent, or an address to bind. Port 0 lets the kernel choose. */
export type ListenerOptions = { readonly fd: number } | { readonly host: string; readonly port: number }

/** The audit log: upstream's `--audit-policy-file`, `--audit-log-path`, `--audit-log-maxsize` and `--audit-log-maxbackup`. */
export interface AuditOptions {
  /** A file with an audit.k8s.io/v1 Policy, YAML or JSON. */
  readonly policyFile: string
  /** Where events are appended, one JSON object a line. */
  readonly path: string
  /** A log of this size is put aside, in mebibytes; 100 when left out. */
  readonly maxSizeMb?: number
  /** How many old logs are kept; 10 when left out. */
  readonly maxBackups?: number
}

/** Everything that the API server needs to know; plain values, so that they fit into a JSON file. Keys and certificates are PEM text. */
export interface ApiServerOptions {
  /** The folder of the database, or `:memory:` for nothing on disk. */
  readonly dataDir: string
  readonly listeners: readonly ListenerOptions[]
  readonly tls: {
    readonly key: string
    readonly cert: string
    /** Signs the client certificates that are trusted: CN is the user, O the groups. */
    readonly clientCa: string
  }
  /** How kubelets are called for logs and exec: the client certificate to show, and the CA that signs theirs. */
  readonly kubelet?: { readonly key: string; readonly cert: string; readonly ca: string }
  /** Signs the tokens of service accounts: an RSA or P-256 key as PEM text; made and kept in `dataDir` when left out. */
  readonly serviceAccount?: { readonly key?: string; readonly issuer?: string }
  /** One IPv4 prefix, one IPv6 prefix or both; the first is the default family. */
  readonly serviceCidrs: readonly string[]
  /** `30000-32767` when left out. */
  readonly nodePortRange?: string
  /** How many events are kept for watchers that come back; 10,000 when left out. */
  readonly historyEvents?: number
  /** Folders with CustomResourceDefinitions that the server has from its first moment. */
  readonly definitions?: readonly string[]
  /** Objects of built-in kinds that the server makes at its start where they are missing. */
  readonly objects?: readonly KubeObject[]
  /** What is written down of requests, and where; nothing when left out. */
  readonly audit?: AuditOptions
  /** Where the API server is reached from inside of the cluster: the endpoints of the Service `kubernetes`. */
  readonly advertise?: { readonly addresses: readonly string[]; readonly port: number }
}

/** A running API server. */
export interface ApiServer {
  /** The bound addresses, in the order of the listeners. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[]
  /** The latest committed resourceVersion. */
  readonly revision: number
  /** Ends all connections, finishes queued writes and closes the database. */
  close(): Promise<void>
}
