/** What an operator is told where AWS refuses a call in the middle of a command: as they type it, in a process of its own. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { AwsError } from '../../local/aws/aws-error.ts'
import type { Fault } from '../../local/aws/faults.ts'
import { deployedRing } from './deployed-ring.ts'
import { spawnAsOperator } from './operator.ts'

const ring = deployedRing()
const aws = () => ring.deployed.testbed.aws
afterEach(() => aws().faults.clear())

const DENIED = new AwsError('AccessDeniedException', 'User: ada is not authorized to perform: this')
const EXPIRED = new AwsError('ExpiredTokenException', 'The security token included in the request is expired')
const GONE = new AwsError('InvalidDocument', '')
const KEY = 'The key of the environment (AWS_ACCESS_KEY_ID)'
const NO_ACCESS = `${KEY} gives no access: The security token included in the request is expired
Log in, or name another by --profile and --region
`
const lacks = (permission: string) => `${KEY} may not: User: ada is not authorized to perform: this
Give its role ${permission}
`
const TOO_OFTEN = 'AWS is asked too often: Rate exceeded\nWait a minute, then ask again\n'

describe('a call that AWS refuses', () => {
  it.each<[command: string, operation: string, effect: Fault['effect'], stderr: string]>([
    ['status edge', 'DescribeStacks', DENIED, lacks('cloudformation:DescribeStacks on Ticketring')],
    ['status edge', 'DescribeStacks', EXPIRED, NO_ACCESS],
    ['status edge', 'DescribeStacks', 'throttle', TOO_OFTEN],
    ['status edge', 'Invoke', DENIED, lacks('lambda:InvokeFunction on ticketring-edge-status')],
    ['rotate edge', 'Invoke', DENIED, lacks('lambda:InvokeFunction on ticketring-edge-rotation')],
    ['rotate edge', 'Invoke', EXPIRED, NO_ACCESS],
    ['rotate edge', 'Invoke', 'throttle', TOO_OFTEN],
    ['history edge', 'FilterLogEvents', DENIED, 'logs:FilterLogEvents'],
    ['preflight edge', 'DescribeInstanceInformation', DENIED, lacks('ssm:DescribeInstanceInformation on *')],
    [
      'preflight edge',
      'SendCommand',
      DENIED,
      'Give its role ssm:SendCommand on the document ticketring_preflight-',
    ],
    [
      'preflight edge',
      'SendCommand',
      GONE,
      'is not there any more\nDeploy the stack again, then ask again\n',
    ],
    ['preflight edge', 'ListCommands', EXPIRED, NO_ACCESS],
    ['preflight edge', 'ListCommands', 'throttle', TOO_OFTEN],
    ['preflight edge', 'ListCommandInvocations', DENIED, lacks('ssm:ListCommandInvocations on *')],
  ])(
    'of `ticketring %s`, %s, is a sentence and what to do: exit code 2',
    async (command, operation, effect, why) => {
      aws().faults.add({ operation, when: 'before', effect, times: 9 })
      const { code, stdout, stderr } = await spawnAsOperator(ring.access, command.split(' '))
      // What is told meanwhile of machines that answer stands before.
      expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(why) })
      expect(stderr).not.toMatch(/\n {4}at |Error:/)
    },
  )

  it('of the function is told by its code, under which docs/errors.md says what to do', async () => {
    const principal = 'ticketring-edge-status'
    aws().faults.add({ principal, operation: 'DescribeSecret', when: 'before', effect: DENIED, times: 9 })
    const { code, stdout, stderr } = await spawnAsOperator(ring.access, ['status', 'edge'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(
      /^ticketring-edge-status failed: access-denied: wanted .*; got .*\ndocs\/errors.md has a heading for access-denied\n$/,
    )
  })

  it('for names and zones of machines keeps nothing else back', async () => {
    const [machine] = ring.deployed.testbed.machines
    const hold = join(machine?.memory ?? '', 'run', 'hold')
    await ring.deployed.converge()
    writeFileSync(hold, 'a drill\n')
    await ring.ticketring('deliver', 'edge')
    aws().faults.add({ operation: 'DescribeInstanceProperties', when: 'before', effect: DENIED, times: 9 })
    const { code, stdout } = await spawnAsOperator(ring.access, ['status', 'edge'])
    rmSync(hold)
    expect(code).toBe(1)
    expect(stdout).toContain(`\n  ${machine?.id}  `)
    expect(stdout).toContain(
      `\n  names and zones of machines are not told: ${lacks('ssm:DescribeInstanceProperties on *').trimEnd().replace('\n', '; ')}\n`,
    )
  })
})
