import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { arnOf, viaService, type Wildcards } from '../fleet/arns.ts'
import type { ChainConfiguration } from './certificate-configuration.ts'
import type { StaplingConfiguration } from './configuration.ts'

/** Where chains of one kind are kept, and what reading them takes. */
interface Shelf {
  readonly sid: string
  readonly action: string
  /** Service that decrypts, and the name under which it puts a chain's ARN into the encryption context. */
  readonly service: string
  readonly context: string
}

const PARAMETERS: Shelf = {
  sid: 'Chains',
  action: 'ssm:GetParameters',
  service: 'ssm',
  context: 'PARAMETER_ARN',
}
const SECRETS: Shelf = {
  sid: 'ChainsInSecrets',
  action: 'secretsmanager:GetSecretValue',
  service: 'secretsmanager',
  context: 'SecretARN',
}

interface ChainAccess {
  readonly shelf: Shelf
  readonly arn: string
  readonly key: string | undefined
}

type Chains = Pick<StaplingConfiguration, 'certificates' | 'chainPath'>

/** Lets a function read exactly the chains of a set, and use the keys that encrypt them for that alone. */
export function chainStatements(
  scope: Construct,
  { certificates, chainPath }: Chains,
): readonly PolicyStatement[] {
  const kept = certificates.map(({ chain }) => keptOf(scope, chain, chainPath))
  return [PARAMETERS, SECRETS].flatMap((shelf) => {
    const here = kept.filter((each) => each.shelf === shelf)
    const keys = distinct(here.flatMap(({ key }) => key ?? []))
    return here.length === 0
      ? []
      : [
          new PolicyStatement({ sid: `Read${shelf.sid}`, actions: [shelf.action], resources: arnsOf(here) }),
          ...keys.map((key, index) =>
            decrypt(scope, shelf, key, { index, arns: arnsOf(here.filter((each) => each.key === key)) }),
          ),
        ]
  })
}

function decrypt(
  scope: Construct,
  { sid, service, context }: Shelf,
  key: string,
  { index, arns }: { readonly index: number; readonly arns: string[] },
): PolicyStatement {
  return new PolicyStatement({
    sid: `Decrypt${sid}${index + 1}`,
    actions: ['kms:Decrypt'],
    resources: [key],
    conditions: {
      StringEquals: {
        'kms:ViaService': viaService(scope, service),
      },
      // Like: an owner's path ends in a wildcard.
      StringLike: { [`kms:EncryptionContext:${context}`]: arns },
    },
  })
}

/** Why the role has a wildcard for chains, where the owner asked for one. */
export function chainWildcards(scope: Construct, { chainPath }: Chains): Wildcards {
  if (chainPath === undefined) return {}
  const reason = 'Named by the owner as the path of all chains: a role has no room for each name'
  return { [arnOf(scope, 'ssm', `parameter${chainPath}/*`)]: reason }
}

function keptOf(scope: Construct, chain: ChainConfiguration, path: string | undefined): ChainAccess {
  if ('secret' in chain) return { shelf: SECRETS, arn: chain.secret, key: chain.key }
  const name = path === undefined ? chain.parameter.replace(/^(?!\/)/, '/') : `${path}/*`
  return { shelf: PARAMETERS, arn: arnOf(scope, 'ssm', `parameter${name}`), key: chain.key }
}

function arnsOf(kept: readonly ChainAccess[]): string[] {
  return distinct(kept.map(({ arn }) => arn))
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)]
}
