/** What an operator does with a set of staples where a ring has a command: a set's function has it already. */
import { stapleRecordName, staplesName, staplesStatusName, storePath } from '../../infra/fleet/names.ts'

/** In place of `offboard`. */
export function leavingText(set: string): string {
  const directory = `/run/ticketring/${set}.staples`
  return [
    'Its function takes staples away, and machines prove it. In this order (docs/operations.md#to-leave-a-set-of-staples):',
    '  1. deploy "boot": false in the set: what is delivered next removes its units',
    '  2. for each certificate of the set, which delivers:',
    `     ${invocation(staplesName(set), { action: 'withdraw', certificate: 'CERTIFICATE' })}`,
    '  3. see that every state is withdrawn, and that no machine is behind:',
    `     ${invocation(staplesStatusName(set), { action: 'status' })}`,
    `  4. take out what the configuration of a server says of ${directory}, and reload it`,
    '  5. take the set out of cdk.json, and deploy',
    '  6. what is left, on each machine, as root:',
    `     rm -rf ${directory} /usr/local/lib/ticketring/${set}.staples.conf`,
    '     and in Parameter Store:',
    `     aws ssm delete-parameters --names ${stapleRecordName(set)} $(aws ssm get-parameters-by-path --path ${storePath(set)} --recursive --query 'Parameters[].Name' --output text)`,
  ].join('\n')
}

/** In place of `rollback`. */
export function goingBackText(set: string): string {
  return [
    'A run of a set that fails leaves each staple as it was, so nothing waits for it. Its program goes back by a deploy of the release before; then:',
    `  ${invocation(staplesName(set), { action: 'deliver' })}`,
  ].join('\n')
}

function invocation(name: string, event: object): string {
  return `aws lambda invoke --function-name ${name} --cli-binary-format raw-in-base64-out --payload '${JSON.stringify(event)}' /dev/stdout`
}
