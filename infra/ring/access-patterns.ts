/**
 * Event patterns of EventBridge on what CloudTrail tells of calls.
 * Source: EventBridge user guide, comparison operators; CloudTrail user guide, userIdentity.
 */

export type Pattern = Readonly<Record<string, unknown>>

/** What matches each name that a caller may use: a name, which an ARN ends with, or a secret's whole ARN. */
type Names = readonly (string | { readonly suffix: string })[]

/** What is watched. */
export interface Watched {
  readonly account: string
  /** ARN of the role that turns the ring. */
  readonly rotationRole: string
  /** Names of the roles that may read the secret, that one among them. */
  readonly readers: readonly string[]
  readonly secret: Names
  readonly document: Names
  readonly record: Names
  /** Operators write it too: to remove it is a change all the same. */
  readonly control: Names
}

/** Calls that change which principal may read the keys, which keys they are, or what makes them. */
const SECRET_CHANGES = [
  'CancelRotateSecret',
  'DeleteResourcePolicy',
  'DeleteSecret',
  'PutResourcePolicy',
  'PutSecretValue',
  'ReplicateSecretToRegions',
  'RotateSecret',
  'UpdateSecret',
  'UpdateSecretVersionStage',
]
const DOCUMENT_CHANGES = [
  'CreateDocument',
  'DeleteDocument',
  'ModifyDocumentPermission',
  'UpdateDocument',
  'UpdateDocumentDefaultVersion',
]

/** The ring was read, and by none of the readers. Several secrets at once are told of one by one, too. */
export function readsByOthers({ account, readers, secret }: Watched): Pattern {
  return calls(['secretsmanager'], {
    $or: [
      { eventName: ['GetSecretValue'], requestParameters: { secretId: secret } },
      { eventName: ['BatchGetSecretValue'], requestParameters: { secretIdList: secret } },
    ],
    userIdentity: {
      $or: [
        // A role's name may stand in an ARN behind a path, which a grant does not know.
        { sessionContext: { sessionIssuer: { userName: [{ 'anything-but': readers }, ABSENT] } } },
        { sessionContext: { sessionIssuer: { type: [{ 'anything-but': 'Role' }] } } },
        { accountId: [{ 'anything-but': account }] },
      ],
    },
  })
}

/** Secret, document or records were changed, and neither by the function nor by a deploy. */
export function changesByOthers({ rotationRole, secret, document, record, control }: Watched): Pattern {
  const written = [...record, ...control]
  return calls(['secretsmanager', 'ssm'], {
    $or: [
      { eventName: SECRET_CHANGES, requestParameters: { secretId: secret } },
      { eventName: DOCUMENT_CHANGES, requestParameters: { name: document } },
      { eventName: ['PutParameter'], requestParameters: { name: record } },
      { eventName: ['DeleteParameter'], requestParameters: { name: written } },
      { eventName: ['DeleteParameters'], requestParameters: { names: written } },
    ],
    userIdentity: {
      // AWS sets it, no caller can.
      invokedBy: [{ 'anything-but': 'cloudformation.amazonaws.com' }, ABSENT],
      sessionContext: { sessionIssuer: { arn: [{ 'anything-but': [rotationRole] }, ABSENT] } },
    },
  })
}

/** The function looked at the labels, as each of its ticks does: CloudTrail and EventBridge tell of reads. */
export function ticksOfOurs({ rotationRole, secret }: Watched): Pattern {
  return calls(['secretsmanager'], {
    eventName: ['DescribeSecret'],
    requestParameters: { secretId: secret },
    userIdentity: { sessionContext: { sessionIssuer: { arn: [rotationRole] } } },
  })
}

const ABSENT = { exists: false }

/** Those that succeeded. */
function calls(services: readonly string[], detail: Pattern): Pattern {
  return {
    source: services.map((service) => `aws.${service}`),
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: { errorCode: [ABSENT], ...detail },
  }
}
