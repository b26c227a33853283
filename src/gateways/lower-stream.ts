import type { Line, Section } from '../haproxy/index.ts'
import { tlsWords } from './lower-http.ts'
import { streamLimitLines } from './lower-limits.ts'
import { streamFormat } from './lower-log.ts'
import {
  answering,
  binds,
  expectProxy,
  innerSocket,
  isMixed,
  lookUp,
  type Paths,
  type Place,
  readSni,
  words,
} from './lower-words.ts'
import type { Entrance } from './model.ts'

/** The sections of an entrance that carry bytes: a TCP port; or TLS told apart by SNI, and ended where it is to be. */
export function streamSections(entrance: Entrance, paths: Paths, place: Place): Section[] {
  if (entrance.protocol === 'TCP') return [tcpFrontend(entrance, paths)]
  if (!isMixed(entrance)) return []
  const { id } = entrance
  return [
    sniFrontend(entrance, paths),
    inner(`${id}.http`, place),
    inner(`${id}.tcp`, place),
    terminatingFrontend(entrance, paths, place),
  ]
}

function tcpFrontend(entrance: Entrance, paths: Paths): Section {
  const { id, port, limits, because } = entrance
  return {
    keyword: 'frontend',
    name: id,
    comment: `${because.object} ${because.field}`,
    lines: [
      ['mode', 'tcp'],
      streamFormat,
      ...binds(port),
      ...expectProxy(entrance),
      ...(limits === undefined ? [] : streamLimitLines(limits, [])),
      ['tcp-request', 'content', 'set-var(txn.hit)', `str(*|${id}),map_str(${paths.streams})`],
      ...share(paths),
      ...choose,
    ],
  }
}

/** Reads no more than the ClientHello: which listener it is for, and for passthrough which route. */
function sniFrontend(entrance: Entrance, paths: Paths): Section {
  const { id, port, limits, because } = entrance
  const hello = words('if { req.ssl_hello_type 1 }')
  const way = (mode: string): string[] => words(`if { var(txn.way),field(1,|) -m str ${mode} }`)
  return {
    keyword: 'frontend',
    name: id,
    comment: `${because.object} ${because.field}`,
    lines: [
      ['mode', 'tcp'],
      streamFormat,
      ...binds(port),
      ...expectProxy(entrance),
      ['tcp-request', 'inspect-delay', '5s'],
      ['tcp-request', 'content', 'set-var(sess.sni)', 'req.ssl_sni,lower,rtrim(.)', ...hello],
      ...lookUp(
        'tcp-request content',
        'txn.way',
        'var(sess.sni)',
        entrance,
        { exact: paths.names, suffixes: paths.nameSuffixes },
        hello,
      ),
      ...lookUp(
        'tcp-request content',
        'txn.hit',
        'var(sess.sni)',
        entrance,
        { exact: paths.streams, suffixes: paths.streamSuffixes },
        way('passthrough'),
      ),
      ...share(paths),
      // Requests are counted when they come.
      ...(limits === undefined
        ? []
        : streamLimitLines(limits, ['if', ...words('!{ var(txn.way),field(1,|) -m str http }'), ...hello.slice(1)])),
      ['tcp-request', 'content', 'accept', ...hello],
      ['tcp-request', 'content', 'reject', ...words('if WAIT_END')],
      ['use_backend', `${id}.http`, ...way('http')],
      ['use_backend', `${id}.tcp`, ...way('terminate')],
      ...choose,
    ],
  }
}

function terminatingFrontend(entrance: Entrance, paths: Paths, place: Place): Section {
  return {
    keyword: 'frontend',
    name: `${entrance.id}.tcp`,
    lines: [
      ['mode', 'tcp'],
      streamFormat,
      ['bind', innerSocket(place.directory, `${entrance.id}.tcp`), 'accept-proxy', ...tlsWords(entrance, place, '')],
      ...readSni,
      ...lookUp('tcp-request content', 'txn.hit', 'var(sess.sni)', entrance, {
        exact: paths.streams,
        suffixes: paths.streamSuffixes,
      }),
      ...share(paths),
      ...choose,
    ],
  }
}

/** The other end of an inner socket; the client's address goes along. */
function inner(name: string, { directory }: Place): Section {
  return {
    keyword: 'backend',
    name,
    lines: [
      ['mode', 'tcp'],
      ['server', 'inner', innerSocket(directory, name), 'send-proxy-v2'],
    ],
  }
}

function share({ weights, shares }: Paths): Line[] {
  const shared = words('if { var(txn.hit) -m beg % }')
  const set = ['tcp-request', 'content']
  return [
    [...set, 'set-var(txn.total)', `var(txn.hit),map_str_int(${weights})`, ...shared],
    [...set, 'set-var(txn.share)', 'rand,mod(txn.total)', ...shared],
    [...set, 'set-var(txn.hit)', `var(txn.hit),concat(|,txn.share),map_str(${shares})`, ...shared],
  ]
}

const choose: readonly Line[] = [
  ['use_backend', '%[var(txn.hit),field(2,|)]', ...words('if { var(txn.hit) -m beg = }')],
  ['default_backend', answering.closed],
]
