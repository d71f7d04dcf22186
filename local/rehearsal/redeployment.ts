/** A stack that is deleted, and deployed again on what it left. */
import type { Fleet, Kind } from './machines/kinds.ts'
import { RehearsalError } from './rehearsal-error.ts'
import type { Existing } from './stack-plan.ts'
import { stackFor } from './synthesis.ts'
import type { Testbed } from './testbed.ts'

/** @returns what stays of the ring. */
export async function destroyStack({ aws }: Pick<Testbed, 'aws'>): Promise<Existing> {
  for (const schedule of aws.schedules) schedule.pause()
  await aws.idle()
  const retained = await aws.delete()
  const arnOf = (type: string) => {
    const { attributes, ref } = retained.find((each) => each.type === type)?.resource.identity ?? {}
    if (ref === undefined) throw new RehearsalError(`a deleted stack leaves no ${type}`)
    return String(attributes?.Arn ?? ref)
  }
  return { secretArn: arnOf('AWS::SecretsManager::Secret'), keyArn: arnOf('AWS::KMS::Key') }
}

/** As docs/runbook.md says it: `existing` names what stayed. */
export async function deployAgain(testbed: Testbed, existing: Existing, signal: AbortSignal): Promise<void> {
  const { aws, machines, workspace } = testbed
  const fleet: Partial<Record<Kind, number>> = {}
  for (const { server } of machines) fleet[server] = (fleet[server] ?? 0) + 1
  const { template } = await stackFor(fleet as Fleet, `${workspace.disk}/cdk.out.again`, signal, { existing })
  await aws.update(template)
  testbed.runSchedules()
}
