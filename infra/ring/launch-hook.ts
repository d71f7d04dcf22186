import type { CfnAutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling'
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { acknowledgeWildcards, arnOf } from '../fleet/arns.ts'
import { groupName } from '../fleet/names.ts'
import type { RingConfiguration } from './configuration.ts'

/**
 * Seconds that a machine may take: its agent registers within minutes, the association runs then, and a tick delivers
 * where that did not go well.
 */
const HEARTBEAT = 600

/** @throws TicketringError `configuration-invalid` where no group is named: no machine would complete it. */
export function launchHookOf({
  name,
  launchGroups,
}: Pick<RingConfiguration, 'name' | 'launchGroups'>): CfnAutoScalingGroup.LifecycleHookSpecificationProperty {
  if (launchGroups === undefined) {
    throw new TicketringError('configuration-invalid', {
      wanted: `launchGroups of ring ${name} with the names of the groups that get the hook`,
      came: 'none',
      fix: 'Name them: the machines complete the hook in these groups alone',
    })
  }
  return {
    lifecycleHookName: groupName(name),
    lifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
    heartbeatTimeout: HEARTBEAT,
    // A machine that proves nothing costs full handshakes; a group that cannot grow costs connections.
    defaultResult: 'CONTINUE',
  }
}

/** Lets machines complete hooks of their groups. There is no condition for whose hook, or which. */
export function grantCompletion(scope: Construct, machines: IGrantable, groups: readonly string[]): Grant {
  const resourceArns = groups.map((group) =>
    arnOf(scope, 'autoscaling', `autoScalingGroup:*:autoScalingGroupName/${group}`),
  )
  const { grantPrincipal } = machines
  if (Construct.isConstruct(grantPrincipal)) {
    const reason = 'The wildcard stands for the UUID that AWS gives the group when it is made'
    acknowledgeWildcards(grantPrincipal, Object.fromEntries(resourceArns.map((arn) => [arn, reason])))
  }
  const actions = ['autoscaling:CompleteLifecycleAction']
  return Grant.addToPrincipal({ grantee: machines, actions, resourceArns })
}
