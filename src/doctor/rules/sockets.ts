import type { Address } from '../../addr/index.ts'
import type { Examination, ListeningAt } from '../examination.ts'

/** The sockets that listen in a pod; undefined where nobody could look. */
export function socketsOf({ sockets }: Examination, pod: string): readonly ListeningAt[] | undefined {
  return sockets.get(pod)
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(address: Address): boolean {
  return address === '::1' || address.startsWith('127.')
}
