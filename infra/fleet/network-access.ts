import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { list, text } from '../../lambda/kernel/kinds.ts'
import { object, setting, type Values } from '../../lambda/kernel/settings.ts'
import { arnOf, type Wildcards } from './arns.ts'

const ids = (kind: string, most: number, of: string) =>
  setting(list(text(new RegExp(`^${kind}-[0-9a-f]{8,17}$`), of), { least: 1, most, of }))

/** Where the function runs, for responders that only a VPC reaches. */
const NETWORK = {
  subnetIds: ids('subnet', 16, 'ids of subnets'),
  securityGroupIds: ids('sg', 5, 'ids of security groups'),
}
export const network = object(NETWORK)
export type Network = Values<typeof NETWORK>

const LOOK = ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets']
const CREATE = 'ec2:CreateNetworkInterface'
const CHANGE = [
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]

/**
 * What Lambda does with the role of a function in a VPC: interfaces in these subnets, in these security groups. The
 * function's own code may do none of it. Source: Lambda developer guide, configuration of a VPC.
 */
export function networkStatements(
  scope: Construct,
  { subnetIds, securityGroupIds }: Network,
  functionName: string,
): readonly PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: 'HaveInterfaces',
      actions: [CREATE],
      resources: [
        ...subnetIds.map((id) => arnOf(scope, 'ec2', `subnet/${id}`)),
        ...securityGroupIds.map((id) => arnOf(scope, 'ec2', `security-group/${id}`)),
        arnOf(scope, 'ec2', 'network-interface/*'),
      ],
    }),
    new PolicyStatement({ sid: 'GiveThemUp', actions: CHANGE, resources: [anyOf(scope)] }),
    new PolicyStatement({ sid: 'LookAtThem', actions: LOOK, resources: ['*'] }),
    new PolicyStatement({
      sid: 'ButNotTheFunctionItself',
      effect: Effect.DENY,
      actions: [...LOOK, CREATE, ...CHANGE],
      resources: ['*'],
      // By name: a reference would make the role wait for the function and the function for the role.
      conditions: {
        ArnEquals: { 'lambda:SourceFunctionArn': arnOf(scope, 'lambda', `function:${functionName}`) },
      },
    }),
  ]
}

export function networkWildcards(scope: Construct): Wildcards {
  return {
    [arnOf(scope, 'ec2', 'network-interface/*')]:
      'An interface that is to be created has no id yet: the subnets and security groups say which may be',
    [anyOf(scope)]:
      'Lambda asks for this very pattern: it gives interfaces up whose ids it alone knows; the function itself is denied it',
  }
}

/** The guide's own words: with less, the function may not reach the VPC. */
function anyOf(scope: Construct): string {
  return arnOf(scope, 'ec2', '*/*')
}
