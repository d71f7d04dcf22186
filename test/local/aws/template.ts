/** What a small ring's stack synthesises to, by hand: references, policies and conditions included. */
export function template(changes: { rotation?: object; variables?: Record<string, string> } = {}): {
  Resources: Record<string, { Type: string; Properties: Record<string, unknown> }>
} {
  const secretArn = { Ref: 'Secret' }
  return {
    Resources: {
      Key: { Type: 'AWS::KMS::Key', Properties: { KeyPolicy: keyPolicy() } },
      Secret: {
        Type: 'AWS::SecretsManager::Secret',
        Properties: { Name: 'rings/edge', SecretString: '{}', KmsKeyId: { 'Fn::GetAtt': ['Key', 'Arn'] } },
      },
      SecretPolicy: {
        Type: 'AWS::SecretsManager::ResourcePolicy',
        Properties: {
          SecretId: secretArn,
          ResourcePolicy: {
            Version: '2012-10-17',
            Statement: [
              denyToOthers('OtherStages', {
                'ForAnyValue:StringNotEquals': { 'secretsmanager:VersionStage': 'AWSCURRENT' },
              }),
              denyToOthers('AnyVersionId', { Null: { 'secretsmanager:VersionId': 'false' } }),
            ],
          },
        },
      },
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: 'rotator',
          AssumeRolePolicyDocument: trust('lambda.amazonaws.com'),
          ManagedPolicyArns: [
            sub('arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'),
          ],
        },
      },
      RolePolicy: { Type: 'AWS::IAM::Policy', Properties: rotatorPolicy(secretArn) },
      FleetPolicy: { Type: 'AWS::IAM::Policy', Properties: fleetPolicy(secretArn) },
      Probe: fn('asset.probe', { GREETING: 'hello' }),
      Rotation: fn('asset.rotation', changes.variables ?? {}),
      RotationPermission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          FunctionName: { 'Fn::GetAtt': ['Rotation', 'Arn'] },
          Action: 'lambda:InvokeFunction',
          Principal: 'secretsmanager.amazonaws.com',
          SourceAccount: { Ref: 'AWS::AccountId' },
        },
      },
      ...(changes.rotation === undefined ? {} : { RotationSchedule: rotationSchedule(changes.rotation) }),
      ProbeRetries: {
        Type: 'AWS::Lambda::EventInvokeConfig',
        Properties: { FunctionName: { Ref: 'Probe' }, Qualifier: '$LATEST', MaximumRetryAttempts: 0 },
      },
      Document: {
        Type: 'AWS::SSM::Document',
        Properties: { Name: 'apply-edge', Content: documentContent() },
      },
      SlowDocument: { Type: 'AWS::SSM::Document', Properties: { Name: 'slow', Content: slowContent() } },
      Association: {
        Type: 'AWS::SSM::Association',
        Properties: {
          Name: { Ref: 'Document' },
          DocumentVersion: '1',
          Targets: [{ Key: 'tag:associated', Values: ['yes'] }],
          ScheduleExpression: 'rate(30 minutes)',
        },
      },
      SchedulerRole: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: trust('scheduler.amazonaws.com'),
          Policies: [invokePolicy()],
        },
      },
      Schedule: {
        Type: 'AWS::Scheduler::Schedule',
        Properties: {
          Name: 'tick',
          ScheduleExpression: 'rate(5 minutes)',
          FlexibleTimeWindow: { Mode: 'OFF' },
          Target: {
            Arn: { 'Fn::GetAtt': ['Probe', 'Arn'] },
            RoleArn: { 'Fn::GetAtt': ['SchedulerRole', 'Arn'] },
            Input: '{"do":"tick","scheduledTime":"<aws.scheduler.scheduled-time>"}',
          },
        },
      },
    },
  }
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are the shell's
const SCRIPT = [
  'if [ -z "${SSM_Generation+x}" ]; then SSM_Generation=\'{{Generation}}\'; how=text; fi',
  'echo "generation $SSM_Generation by ${how:-variable}${EXTRA:+ $EXTRA}"',
  'if [ -n "${ASIDE:-}" ]; then echo "$ASIDE" >&2; fi',
  'if [ -n "${AWS_SHARED_CREDENTIALS_FILE:-}" ]; then echo "shared $AWS_SHARED_CREDENTIALS_FILE"; fi',
  'exit "${STATUS:-0}"',
]
const SLOW_SCRIPT = ['date +%s%N', 'sleep "${NAP:-30}" & wait $!']
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: these are the shell's

function documentContent() {
  return {
    schemaVersion: '2.2',
    parameters: {
      Generation: {
        type: 'String',
        default: '1',
        allowedPattern: '^[1-9][0-9]{0,11}$',
        interpolationType: 'ENV_VAR',
      },
    },
    mainSteps: [
      {
        action: 'aws:runShellScript',
        name: 'apply',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: { runCommand: SCRIPT, timeoutSeconds: '5' },
      },
    ],
  }
}

function slowContent() {
  const step = { action: 'aws:runShellScript', name: 'sleep' }
  return {
    schemaVersion: '2.2',
    mainSteps: [{ ...step, inputs: { runCommand: SLOW_SCRIPT, timeoutSeconds: 5 } }],
  }
}

function fn(asset: string, Variables: Record<string, string>) {
  return {
    Type: 'AWS::Lambda::Function',
    Properties: {
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
      Code: { S3Bucket: 'assets', S3Key: `${asset.replace('asset.', '')}.zip` },
      Environment: { Variables },
      Timeout: 2,
      MemorySize: 256,
    },
  }
}

function rotationSchedule(properties: object) {
  return {
    Type: 'AWS::SecretsManager::RotationSchedule',
    Properties: {
      SecretId: { Ref: 'Secret' },
      RotationLambdaARN: { 'Fn::GetAtt': ['Rotation', 'Arn'] },
      RotationRules: { ScheduleExpression: 'rate(4 hours)' },
      RotateImmediatelyOnUpdate: false,
      ...properties,
    },
  }
}

function trust(Service: string) {
  const Statement = [{ Effect: 'Allow', Principal: { Service }, Action: 'sts:AssumeRole' }]
  return { Version: '2012-10-17', Statement }
}

function invokePolicy() {
  const Resource = { 'Fn::Join': ['', [{ 'Fn::GetAtt': ['Probe', 'Arn'] }]] }
  const Statement = [{ Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource }]
  return { PolicyName: 'invoke', PolicyDocument: { Version: '2012-10-17', Statement } }
}

/** `Fn::Sub` with its variables in angle brackets. */
function sub(text: string) {
  return { 'Fn::Sub': text.replace(/<([^>]+)>/g, '$${$1}') }
}

function throughSecretsManager(secret: unknown) {
  return {
    StringEquals: {
      'kms:ViaService': sub('secretsmanager.<AWS::Region>.amazonaws.com'),
      ...(secret === undefined ? {} : { 'kms:EncryptionContext:SecretARN': secret }),
    },
  }
}

function keyPolicy() {
  const AWS = sub('arn:aws:iam::<AWS::AccountId>:root')
  const Statement = [{ Sid: 'Account', Effect: 'Allow', Principal: { AWS }, Action: 'kms:*', Resource: '*' }]
  return { Version: '2012-10-17', Statement }
}

/** Others may name AWSCURRENT, and no version by its id. */
function denyToOthers(Sid: string, condition: object) {
  const trusted = [
    sub('arn:aws:iam::<AWS::AccountId>:role/rotator'),
    sub('arn:aws:iam::<AWS::AccountId>:user/operator'),
  ]
  return {
    Sid,
    Effect: 'Deny',
    Principal: '*',
    Action: 'secretsmanager:GetSecretValue',
    Resource: '*',
    Condition: { ArnNotLike: { 'aws:PrincipalArn': trusted }, ...condition },
  }
}

function rotatorPolicy(secret: unknown) {
  return {
    PolicyName: 'rotate',
    Roles: [{ Ref: 'Role' }],
    PolicyDocument: {
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'Secret',
          Effect: 'Allow',
          Action: [
            'secretsmanager:DescribeSecret',
            'secretsmanager:GetSecretValue',
            'secretsmanager:PutSecretValue',
            'secretsmanager:UpdateSecretVersionStage',
          ],
          Resource: secret,
        },
        {
          Effect: 'Allow',
          Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
          Resource: { 'Fn::GetAtt': ['Key', 'Arn'] },
          Condition: throughSecretsManager(secret),
        },
        {
          Sid: 'Document',
          Effect: 'Allow',
          Action: 'ssm:SendCommand',
          Resource: sub('arn:aws:ssm:<AWS::Region>:<AWS::AccountId>:document/<Document>'),
        },
        {
          Sid: 'Fleet',
          Effect: 'Allow',
          Action: 'ssm:SendCommand',
          Resource: sub('arn:aws:ec2:<AWS::Region>:<AWS::AccountId>:instance/*'),
          Condition: { StringEquals: { 'ssm:resourceTag/ring': 'edge' } },
        },
        { Sid: 'Useless', Effect: 'Allow', Action: 'ssm:ListCommands', Resource: '*' },
      ],
    },
  }
}

/** The fleet's role is not the stack's: only its name is known. */
function fleetPolicy(secret: unknown) {
  return {
    PolicyName: 'read',
    Roles: ['terminators'],
    PolicyDocument: {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'secretsmanager:GetSecretValue',
          Resource: secret,
          Condition: { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': ['AWSCURRENT'] } },
        },
        {
          Effect: 'Allow',
          Action: 'kms:Decrypt',
          Resource: { 'Fn::GetAtt': ['Key', 'Arn'] },
          Condition: throughSecretsManager(secret),
        },
      ],
    },
  }
}
