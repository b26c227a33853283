import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { authoritySecretOf, type Issued, issue, tlsSecretOf } from './authority.fixture.ts'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
let directory: string
const issued: Record<string, Issued> = {}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-clients-'))
  const authority = await issue('CN=One Authority', { isAuthority: true })
  const other = await issue('CN=Other Authority', { isAuthority: true })
  const middle = await issue('CN=Middle', { isAuthority: true, by: authority })
  const last = await issue('CN=Last', { isAuthority: true, by: middle })
  Object.assign(issued, {
    authority,
    other,
    ann: await issue('CN=ann,O=Plumb', { by: authority }),
    bob: await issue('CN=bob', { by: authority }),
    expired: await issue('CN=ann', { by: authority, days: -1 }),
    stranger: await issue('CN=ann', { by: other }),
    alone: await issue('CN=ann'),
    // Named as the authority, but signed by itself.
    forged: await issue('CN=ann', { by: await issue('CN=One Authority', { isAuthority: true }) }),
  })
  const near = await issue('CN=near', { by: middle })
  const far = await issue('CN=far', { by: last })
  issued.near = { ...near, cert: near.cert + middle.cert }
  issued.far = { ...far, cert: far.cert + last.cert + middle.cert }
  issued.rooted = { ...issued.near, cert: issued.near.cert + authority.cert }
  for (const [name, { cert, key }] of Object.entries(issued)) {
    writeFileSync(join(directory, `${name}.crt`), cert)
    writeFileSync(join(directory, `${name}.key`), key)
  }
  const server = await issue('CN=server', {
    names: ['a.example', 'b.example', 'open.example', 'z.example'],
    isRsa: true,
  })
  const wild = await issue('CN=wild', { names: ['*.example', 'a.example'] })
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  gateway.serve(one, 8001)
  await gateway.change([
    plumbClass,
    serviceOf('a'),
    sliceOf('a', 8001, one),
    tlsSecretOf('server', server),
    tlsSecretOf('wild', wild),
    authoritySecretOf('one', authority),
    authoritySecretOf('other', other),
  ])
})
after(async () => {
  await gateway.close()
  rmSync(directory, { recursive: true })
})

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`
const withTls = (host: string, secretName = 'server') => ({ tls: [{ hosts: [host], secretName }] })

const atPath = (host: string, path: string) => ({
  rules: [
    {
      host,
      http: { paths: [{ path, pathType: 'Prefix', backend: { service: { name: 'a', port: { number: 80 } } } }] },
    },
  ],
})

interface Answer {
  readonly status: number
  readonly head: string
  readonly from: string
  readonly headers: Readonly<Record<string, string>>
}

/** Asks by the name of the URL, with somebody's certificate if named. */
async function ask(url: string, who?: string, ...words: readonly string[]): Promise<Answer> {
  const { hostname, protocol } = new URL(url)
  const port = protocol === 'https:' ? 443 : 80
  const shown =
    who === undefined ? [] : ['--cert', join(directory, `${who}.crt`), '--key', join(directory, `${who}.key`)]
  const said = await gateway.curl(
    '-ik',
    '--connect-to',
    `${hostname}:${port}:203.0.113.1:${port}`,
    ...shown,
    ...words,
    url,
  )
  const [head = '', body = ''] = said.split('\r\n\r\n')
  const told = body.startsWith('{') ? JSON.parse(body) : {}
  const status = Number(/^HTTP\/\S+ (\d+)/.exec(head)?.[1] ?? 0)
  return { status, head, from: told.from ?? '', headers: told.headers ?? {} }
}

const statusOf = async (url: string, who?: string, ...words: readonly string[]) =>
  (await ask(url, who, ...words)).status

test('a host that asks for certificates: who has a right one, a wrong one, none; what pods are told of it', async () => {
  const strict = ingressOf(
    'strict',
    'a.example',
    { 'auth-tls-secret': 'ns/one', 'auth-tls-pass-certificate-to-upstream': 'true' },
    'a',
    withTls('a.example'),
  )
  const beside = ingressOf('beside', 'a.example', {}, 'a', {
    ...withTls('a.example'),
    ...atPath('a.example', '/beside'),
  })
  const open = ingressOf('open', 'open.example', {}, 'a', withTls('open.example'))
  await gateway.serving([strict, beside, open], async () => {
    const answer = await ask('https://a.example/', 'ann', '-H', 'ssl-client-verify: nobody', '-H', 'ssl-client-cert: x')
    assert.deepEqual([answer.status, answer.from], [200, 'backend-1:8001'], answer.head + trouble())
    const { 'ssl-client-cert': cert = '', ...told } = answer.headers
    assert.equal(new X509Certificate(decodeURIComponent(cert)).subject, new X509Certificate(issued.ann!.cert).subject)
    assert.deepEqual(
      [told['ssl-client-verify'], told['ssl-client-subject-dn'], told['ssl-client-issuer-dn']],
      ['SUCCESS', 'O=Plumb,CN=ann', 'CN=One Authority'],
    )
    for (const who of [undefined, 'expired', 'stranger', 'alone', 'forged']) {
      const refused = await ask('https://a.example/', who)
      assert.deepEqual([refused.status, refused.from], [400, ''], `${who} ${refused.head}`)
      assert.match(refused.head, /proxy-status: plumb; error=http_request_denied/)
    }
    assert.deepEqual(
      [await statusOf('https://a.example/beside', 'ann'), await statusOf('https://a.example/beside')],
      [200, 400],
    )
    assert.equal(await statusOf('https://open.example/'), 200)
    const plain = await ask('http://a.example/x?q=1')
    assert.deepEqual([plain.status, /^location: (.*)$/m.exec(plain.head)?.[1]], [308, 'https://a.example/x?q=1'])
    assert.equal(await statusOf('https://a.example/', 'near'), 200, 'one between is what nginx allows')
    assert.equal(await statusOf('https://a.example/', 'rooted'), 200)
    assert.equal(await statusOf('https://a.example/', 'far'), 400)
  })
})

test('modes, depths, names and pages', async () => {
  const asking = (name: string, annotations: Record<string, string>) =>
    ingressOf(name, `${name}.example`, { 'auth-tls-secret': 'one', ...annotations }, 'a')
  const objects = [
    asking('optional', { 'auth-tls-verify-client': 'optional' }),
    asking('unverified', { 'auth-tls-verify-client': 'optional_no_ca' }),
    asking('off', { 'auth-tls-verify-client': 'off' }),
    asking('deep', { 'auth-tls-verify-depth': '2' }),
    asking('flat', { 'auth-tls-verify-depth': '0' }),
    asking('named', { 'auth-tls-match-cn': 'CN=(ann|eve)' }),
    asking('paged', { 'auth-tls-error-page': 'https://help.example/certificates' }),
  ]
  await gateway.serving(objects, async () => {
    const cases: readonly [host: string, who: string | undefined, status: number, verify?: RegExp][] = [
      ['optional', undefined, 200, /^NONE$/],
      ['optional', 'ann', 200, /^SUCCESS$/],
      ['optional', 'stranger', 400],
      ['unverified', undefined, 200, /^NONE$/],
      ['unverified', 'stranger', 200, /^FAILED:/],
      ['unverified', 'alone', 200, /^FAILED:/],
      ['unverified', 'expired', 400],
      ['off', undefined, 200, /^NONE$/],
      ['deep', 'far', 200, /^SUCCESS$/],
      ['flat', 'near', 400],
      ['flat', 'ann', 200, /^SUCCESS$/],
      ['named', 'ann', 200, /^SUCCESS$/],
      ['named', 'bob', 403],
      ['paged', 'bob', 200, /^SUCCESS$/],
    ]
    for (const [host, who, status, verify] of cases) {
      const answer = await ask(`https://${host}.example/`, who, '-H', 'ssl-client-verify: SUCCESS')
      assert.equal(answer.status, status, `${host} ${who} ${answer.head} ${trouble()}`)
      if (verify !== undefined) assert.match(answer.headers['ssl-client-verify'] ?? '', verify, `${host} ${who}`)
    }
    const page = await ask('https://paged.example/')
    assert.deepEqual(
      [page.status, /^location: (.*)$/m.exec(page.head)?.[1]],
      [302, 'https://help.example/certificates'],
    )
  })
})

test('no connection made for another host is good for one that asks: by Host, by HTTP/2, by a session, by odd names', async () => {
  const objects = [
    ingressOf('asking', 'a.example', { 'auth-tls-secret': 'one' }, 'a', withTls('a.example')),
    ingressOf('others', 'b.example', { 'auth-tls-secret': 'other' }, 'a', withTls('b.example')),
    ingressOf('open', 'open.example', {}, 'a', withTls('open.example')),
    ingressOf('wild', '*.example', { 'auth-tls-secret': 'other' }, 'a', withTls('*.example', 'wild')),
  ]
  await gateway.serving(objects, async () => {
    assert.equal(await statusOf('https://a.example/', 'ann'), 200, trouble())
    assert.equal(await statusOf('https://b.example/', 'stranger'), 200)
    assert.equal(await statusOf('https://c.example/', 'stranger'), 200)
    assert.equal(
      await statusOf('https://a.example/', 'stranger'),
      400,
      'asked by the wildcard, whose key clients prefer',
    )
    for (const [sni, who] of [
      ['open.example', undefined],
      ['b.example', 'stranger'],
      ['c.example', 'stranger'],
    ] as const)
      assert.equal(await statusOf(`https://${sni}/`, who, '-H', 'host: a.example'), 421, sni)
    // An address is no name: the connection is for nobody.
    assert.equal(await statusOf('https://203.0.113.1/', 'ann', '-H', 'host: a.example'), 421)
    assert.equal(await statusOf('https://203.0.113.1/', 'stranger', '-H', 'host: c.example'), 421)
    const text = 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n'
    for (const version of ['tls1_2', 'tls1_3']) {
      const session = join(directory, version)
      const by = (name: string, who: string, more: string) =>
        gateway.run(
          'sh',
          '-c',
          `printf '${text.replaceAll('\r', '\\r').replaceAll('\n', '\\n')}' | timeout 10 openssl s_client -connect 203.0.113.1:443 -servername ${name} -${version} -ign_eof ${who === '' ? '' : `-cert ${directory}/${who}.crt -key ${directory}/${who}.key`} ${more}`,
        )
      assert.match(await by('a.example', 'ann', `-sess_out ${session}`), /HTTP\/1.1 200/, version)
      assert.doesNotMatch(await by('a.example', '', `-sess_in ${session}`), /HTTP\/1.1 200/, `${version}: resumed`)
      for (const odd of ['a.example.', 'A.EXAMPLE.', '.a.example', '.example', 'x.a.example'])
        assert.doesNotMatch(await by(odd, 'stranger', ''), /HTTP\/1.1 200/, `${version}: ${odd}`)
    }
    const secured = connectTls({
      socket: gateway.connect(443),
      servername: 'open.example',
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
      cert: issued.ann!.cert,
      key: issued.ann!.key,
    })
    const session = connectHttp2('https://open.example', { createConnection: () => secured })
    try {
      const got: unknown[] = []
      for (const authority of ['open.example', 'a.example', 'open.example']) {
        const stream = session.request({ ':authority': authority })
        got.push(await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status']))))
        stream.close()
      }
      assert.deepEqual(got, [200, 421, 200], 'coalesced')
    } finally {
      session.destroy()
    }
  })
})

test('what cannot be judged lets nobody in: no Secret, no authority in it, a second one for a host, words that cannot be read', async () => {
  const half = authoritySecretOf('half', { ...issued.authority!, cert: issued.authority!.cert.slice(0, 200) })
  const objects = [
    half,
    ingressOf('lost', 'lost.example', { 'auth-tls-secret': 'nobody' }, 'a'),
    ingressOf('half', 'half.example', { 'auth-tls-secret': 'half' }, 'a'),
    ingressOf('elsewhere', 'elsewhere.example', { 'auth-tls-secret': 'other-namespace/one' }, 'a'),
    ingressOf('wrong', 'wrong.example', { 'auth-tls-secret': 'one', 'auth-tls-verify-client': 'perhaps' }, 'a'),
    ingressOf('secretless', 'secretless.example', { 'auth-tls-verify-client': 'on' }, 'a'),
    ingressOf('first', 'two.example', { 'auth-tls-secret': 'one' }, 'a'),
    ingressOf('second', 'two.example', { 'auth-tls-secret': 'other' }, 'a', atPath('two.example', '/second')),
  ]
  await gateway.serving(objects, async () => {
    for (const name of ['lost', 'half', 'elsewhere', 'wrong', 'secretless'])
      assert.equal(await statusOf(`https://${name}.example/`, 'ann'), 500, `${name} ${trouble()}`)
    assert.deepEqual(
      [await statusOf('https://two.example/', 'ann'), await statusOf('https://two.example/second', 'stranger')],
      [200, 500],
    )
    const codes = gateway.module.findings.map(({ code, object }) => `${object.slice(11)} ${code}`).sort()
    assert.deepEqual(codes, [
      'elsewhere AnnotationNotServed',
      'half SecretInvalid',
      'lost SecretMissing',
      'second AuthorityTaken',
      'secretless AnnotationNotServed',
      'wrong AnnotationInvalid',
    ])
    // Put right, it is served at once; and as long as the Secret is half written, nobody passes.
    await gateway.change([authoritySecretOf('half', issued.authority!)])
    assert.equal(await statusOf('https://half.example/', 'ann'), 200, trouble())
    await gateway.change([half])
    assert.equal(await statusOf('https://half.example/', 'ann'), 500)
  })
})
