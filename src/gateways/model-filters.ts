export interface HeaderChange {
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly add: readonly (readonly [name: string, value: string])[]
  readonly remove: readonly string[]
}

/** How a path becomes another; `prefix` is the part of the rule's match that is replaced. */
export type PathChange =
  | { readonly kind: 'full'; readonly path: string }
  | { readonly kind: 'prefix'; readonly prefix: string; readonly path: string }
  /** What the pattern matches becomes `path`, in which `\\1` is its first group. */
  | { readonly kind: 'regex'; readonly pattern: string; readonly path: string }

/** What a default backend is told of who should have answered: the Ingress, and the Service as that names it. */
export interface Failed {
  readonly namespace: string
  readonly ingress: string
  readonly service: string
  readonly port: string
}

/** In `to` of a location, `$host` and `$scheme` are those of the request. */
export interface Replacement {
  readonly from: string
  readonly to: string
}

export type Filter =
  | { readonly kind: 'request-headers'; readonly change: HeaderChange }
  | { readonly kind: 'response-headers'; readonly change: HeaderChange }
  | {
      readonly kind: 'redirect'
      readonly status: number
      readonly scheme?: string
      readonly host?: string
      readonly port?: number
      readonly path?: PathChange
    }
  | { readonly kind: 'rewrite'; readonly host?: string; readonly path?: PathChange }
  /** Clients of other addresses get 403; without `allow` all that are not denied may come. Prefixes as text. */
  | {
      readonly kind: 'sources'
      readonly allow: readonly string[]
      readonly deny: readonly string[]
      /** Clients of allowed addresses need no other proof, and all others do. */
      readonly isEnough?: true
    }
  /** Who made the connection with no right certificate gets 400; by HTTP all are redirected to HTTPS. */
  | {
      readonly kind: 'client-certificate'
      /** The one by which it was judged when the connection was made. */
      readonly authority: string
      /** `optional`: a wrong one is refused, none is not; `unverified`: one of an unknown authority is not either; `off`: pods are told that there is none. */
      readonly mode: 'required' | 'optional' | 'unverified' | 'off'
      /** Certificates between that of the client and that of the authority, at most. */
      readonly depth: number
      /** What `CN=` and the common name match as a whole; others get 403. */
      readonly commonName?: string
      /** Where those are redirected to who would get 400. */
      readonly errorPage?: string
      /** Whether pods get the certificate, in the header `ssl-client-cert`. */
      readonly passes: boolean
    }
  /** Who shows no name and password of the list gets 401. */
  | { readonly kind: 'basic-auth'; readonly realm: string; readonly users: string }
  /** A backend is asked whether a request may pass: 2xx lets it, 401 and 403 are handed on, everything else is 500. */
  | {
      readonly kind: 'external-auth'
      readonly backend: string
      readonly host: string
      readonly path: string
      readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
      /** Where those are redirected to who would get 401, with the URL that they asked for as a parameter. */
      readonly signIn?: string
      readonly signInParameter: string
      /** Of the answer, that go on with the request. */
      readonly headers: readonly string[]
      /** Set in the question. */
      readonly sent?: readonly (readonly [name: string, value: string])[]
    }
  /** A backend is asked as the client asked, without the body (GEP-1494): 200 lets a request pass, 3xx and 4xx are handed on whole, everything else is 403. */
  | {
      readonly kind: 'external-check'
      readonly backend: string
      /** In front of the path. */
      readonly prefix: string
      /** Of the request, that are sent beside Host and Authorization, in lower case. */
      readonly sent: readonly string[]
      /** Of the answer, that go on with the request, in lower case; empty for all. */
      readonly headers: readonly string[]
    }
  | {
      readonly kind: 'mirror'
      readonly backend: string
      readonly numerator: number
      readonly denominator: number
      /** That of the request unless told. */
      readonly host?: string
      readonly isBodiless?: true
    }
  /** What pods say of their own address: the beginning of `location`, domains and the beginnings of paths of cookies. */
  | {
      readonly kind: 'answers'
      readonly location?: Replacement
      readonly domain?: Replacement
      readonly path?: Replacement
    }
  /** Requests that go to a default backend: it is told of it. */
  | { readonly kind: 'failed'; readonly code: number; readonly of: Failed }
  /** Answers of pods with one of the codes become those of a backend, which is asked with the client's method and no body. */
  | { readonly kind: 'errors'; readonly codes: readonly number[]; readonly backend: string; readonly of: Failed }
  | {
      readonly kind: 'cors'
      readonly origins: readonly string[]
      readonly methods: readonly string[]
      readonly headers: readonly string[]
      readonly expose: readonly string[]
      readonly credentials: boolean
      readonly maxAgeSeconds: number
    }
