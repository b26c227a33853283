import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deployments, errors, Pods, type Status } from './index.ts'

const required = { reason: 'FieldValueRequired', field: 'spec.ports', message: 'Required value' } as const
const invalid = { reason: 'FieldValueInvalid', field: 'a', message: 'Invalid value: 1: no' } as const
const user = { user: 'jane', verb: 'list', target: Pods }

const cases: readonly [status: Status, code: number, reason: string, message: string, details?: object][] = [
  [errors.notFound(Pods, 'a'), 404, 'NotFound', 'pods "a" not found', { name: 'a', kind: 'pods' }],
  [
    errors.notFound(Deployments, 'a'),
    404,
    'NotFound',
    'deployments.apps "a" not found',
    {
      name: 'a',
      group: 'apps',
      kind: 'deployments',
    },
  ],
  [errors.noSuchResource(), 404, 'NotFound', 'the server could not find the requested resource', {}],
  [errors.alreadyExists(Pods, 'a'), 409, 'AlreadyExists', 'pods "a" already exists', { name: 'a', kind: 'pods' }],
  [
    errors.conflict(Pods, 'a'),
    409,
    'Conflict',
    'Operation cannot be fulfilled on pods "a": the object has been modified; please apply your changes to the latest version and try again',
    { name: 'a', kind: 'pods' },
  ],
  [
    errors.invalid({ group: '', kind: 'Service' }, 'a', [required]),
    422,
    'Invalid',
    'Service "a" is invalid: spec.ports: Required value',
    { name: 'a', kind: 'Service', causes: [required] },
  ],
  [
    errors.invalid({ group: 'apps', kind: 'Deployment' }, 'a', [required, invalid]),
    422,
    'Invalid',
    'Deployment.apps "a" is invalid: [spec.ports: Required value, a: Invalid value: 1: no]',
    { name: 'a', group: 'apps', kind: 'Deployment', causes: [required, invalid] },
  ],
  [errors.expired(1, 74), 410, 'Expired', 'too old resource version: 1 (74)'],
  [
    errors.resourceVersionTooLarge(99, 7),
    504,
    'Timeout',
    'Timeout: Too large resource version: 99, current: 7',
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  ],
  [
    errors.forbidden({ ...user, namespace: 'x' }),
    403,
    'Forbidden',
    'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "x"',
    { kind: 'pods' },
  ],
  [
    errors.forbidden({ user: 'jane', verb: 'get', target: Deployments, subresource: 'scale', name: 'a' }),
    403,
    'Forbidden',
    'deployments.apps "a" is forbidden: User "jane" cannot get resource "deployments/scale" in API group "apps" at the cluster scope',
    { name: 'a', group: 'apps', kind: 'deployments' },
  ],
  [
    errors.namespaceTerminating(Pods, 'a', 'x'),
    403,
    'Forbidden',
    'pods "a" is forbidden: unable to create new content in namespace x because it is being terminated',
    {
      name: 'a',
      kind: 'pods',
      causes: [
        { reason: 'NamespaceTerminating', message: 'namespace x is being terminated', field: 'metadata.namespace' },
      ],
    },
  ],
  [errors.unauthorized(), 401, 'Unauthorized', 'Unauthorized'],
  [
    errors.methodNotAllowed(),
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  ],
  [
    errors.unsupportedMediaType(['application/json', 'application/yaml']),
    415,
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
  ],
  [errors.tooLarge(3145728), 413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728'],
  [
    errors.applyConflict([{ manager: '"kubectl" using apps/v1', field: '.spec.replicas' }]),
    409,
    'Conflict',
    'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
    {
      causes: [
        {
          reason: 'FieldManagerConflict',
          message: 'conflict with "kubectl" using apps/v1',
          field: '.spec.replicas',
        },
      ],
    },
  ],
  [
    errors.applyConflict([
      { manager: '"a"', field: '.data.x' },
      { manager: '"a"', field: '.data.y' },
      { manager: '"b"', field: '.data.x' },
    ]),
    409,
    'Conflict',
    'Apply failed with 3 conflicts: conflicts with "a":\n- .data.x\n- .data.y\nconflicts with "b":\n- .data.x',
    {
      causes: [
        ['"a"', '.data.x'],
        ['"a"', '.data.y'],
        ['"b"', '.data.x'],
      ].map(([manager, field]) => ({ reason: 'FieldManagerConflict', message: `conflict with ${manager}`, field })),
    },
  ],
]

for (const [status, code, reason, message, details] of cases)
  test(message, () => {
    assert.deepEqual(status, {
      apiVersion: 'v1',
      kind: 'Status',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code,
    })
  })
