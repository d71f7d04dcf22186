import { Stack } from 'aws-cdk-lib'
import { CfnPermission, type IFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnRotationSchedule } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import type { Rotation } from '../../lambda/ring/configuration.ts'
import { groupName } from '../fleet/names.ts'
import { type Schedule, Schedules } from '../fleet/schedules.ts'
import { TICK_MINUTES } from './rotation-function.ts'
import type { RingSecret } from './secret.ts'

/** Seconds by which a rotation may come earlier than T after the one before: as long as its schedule's window. */
export function windowSeconds({ every, trigger }: Pick<Rotation, 'every' | 'trigger'>): number {
  // Secrets Manager's own window for hourly schedules is one hour: it takes none shorter.
  if (trigger === 'secrets-manager') return 3600
  return 60 * Math.min(15, Math.max(1, Math.floor(every / 60 / 16)))
}

interface RingSchedulesProps {
  readonly ring: string
  readonly rotation: Rotation
  readonly handler: IFunction
  readonly isStopped: boolean
}

/** Wakes a ring's function: every T to rotate, unless Secrets Manager does that, and on every tick to reconcile. */
export function scheduleRing(
  scope: Construct,
  id: string,
  { ring, rotation, handler, isStopped }: RingSchedulesProps,
): Schedules {
  return new Schedules(scope, id, {
    group: groupName(ring),
    whom: `the rotation function of ring ${ring}`,
    handler,
    isStopped,
    tick: TICK_MINUTES,
    schedules: {
      Reconcile: {
        name: `${groupName(ring)}-reconcile`,
        minutes: TICK_MINUTES,
        window: 0,
        event: { action: 'reconcile' },
      },
      ...(rotation.trigger === 'secrets-manager' ? {} : { Rotate: scheduleToRotate(ring, rotation) }),
    },
  })
}

function scheduleToRotate(ring: string, rotation: Rotation): Schedule {
  return {
    name: `${groupName(ring)}-rotate`,
    minutes: rotation.every / 60,
    window: windowSeconds(rotation) / 60,
    event: { action: 'rotate', scheduledTime: '<aws.scheduler.scheduled-time>' },
  }
}

/**
 * Has Secrets Manager drive the rotation. In CloudFormation's terms: the L2 leaves the source account out of the
 * permission and gives the function's role more than it uses.
 */
export function rotateBySecretsManager(
  scope: Construct,
  { every }: Rotation,
  { secret, handler }: { readonly secret: RingSecret; readonly handler: IFunction },
): void {
  const permission = new CfnPermission(scope, 'SecretsManagerMayInvoke', {
    action: 'lambda:InvokeFunction',
    functionName: handler.functionArn,
    principal: 'secretsmanager.amazonaws.com',
    sourceAccount: Stack.of(scope).account,
  })
  const schedule = new CfnRotationSchedule(scope, 'RotationSchedule', {
    secretId: secret.arn,
    rotationLambdaArn: handler.functionArn,
    // The first tick makes the ring: a rotation at deploy time would meet a secret without one.
    rotateImmediatelyOnUpdate: false,
    rotationRules: {
      scheduleExpression: `rate(${every / 3600} hours)`,
      duration: `${windowSeconds({ every, trigger: 'secrets-manager' }) / 3600}h`,
    },
  })
  // Secrets Manager invokes testSecret while the schedule is being created.
  schedule.addResourceDependency(permission)
}
