import { type MachineResult, type Order, runOnMachines, type SystemsManager } from '../aws/run-command.ts'
import type { DeployedRing, Offboarding } from '../aws/stack.ts'
import { systemsManager, watchedOn } from '../aws/systems-manager.ts'
import type { Command, Io } from '../command.ts'
import { ACCOUNT, ACCOUNT_OPTIONS, deployedOf, only, read } from '../ring/words.ts'
import { ServiceError } from '../service-error.ts'
import { leavingText } from '../staples/instead.ts'
import { UsageError } from '../usage-error.ts'
import { readable } from '../wrapped-text.ts'
import { exitCodeOf, offboardText, type Told } from './offboard-text.ts'
import { outcomeOf } from './outcome.ts'

/** The document's own time-out (s). */
const TIMEOUT = 120
const OPTIONS = {
  ...ACCOUNT_OPTIONS,
  instance: { type: 'string' },
  remove: { type: 'boolean' },
  'yes-remove-files': { type: 'boolean' },
} as const

export const OFFBOARD: Command = {
  name: 'offboard',
  summary: 'take a ring off its machines: which lines still name its files, then the files',
  usage: `Usage: ticketring offboard RING [options]
       ticketring offboard RING --remove --yes-remove-files [options]

Asks each machine of a ring that is told to leave ("offboard": true, deployed) which lines of its configuration still name the ring's
files, and says what to take out. It changes nothing. With --remove and --yes-remove-files each machine that has no such line
removes the ring's units and files; one that has removes nothing. Of a set of staples it says, line by line, what takes that off.

  --instance ID         this machine alone
  --remove              remove what no line names
  --yes-remove-files    do it: without, the machines are only asked
${ACCOUNT}

It runs the ring's document with your own credentials: cloudformation:DescribeStacks, ssm:DescribeInstanceInformation,
ssm:SendCommand, ssm:ListCommands, ssm:ListCommandInvocations.

Exit code: 0 no machine names a file, or all is removed; 1 not so; 2 a machine is offline or did not answer, or nothing was removed since
--yes-remove-files is missing.`,
  run: async (words, io) => {
    const { values, positionals } = read(words, OPTIONS)
    const name = only(positionals)
    const { remove = false, 'yes-remove-files': confirmed = false } = values
    if (confirmed && !remove) throw new UsageError('--yes-remove-files goes with --remove')
    const isRemoval = remove && confirmed
    const { account, stack } = await deployedOf(values)
    const leaving = leavingOf(stack.ring(name, leavingText))
    const results = await askMachines(
      systemsManager(account),
      orderOf(name, leaving, isRemoval, values.instance),
      io,
    )
    const told = results.map((each) => ({ id: each.id, name: each.name, outcome: outcomeOf(name, each) }))
    io.out(
      values.json === true
        ? jsonOf(name, isRemoval, told)
        : readable(io, offboardText(name, told, leaving.servers, isRemoval)),
    )
    if (remove && !confirmed) {
      io.error('Nothing was removed. To do it: the same command with --yes-remove-files')
      return 2
    }
    return exitCodeOf(told)
  },
}

/** @throws ServiceError for a ring that would be brought to its machines again. */
function leavingOf({ name, offboard }: DeployedRing): Offboarding {
  if (offboard !== undefined) return offboard
  throw new ServiceError(
    `The ring ${name} is not told to leave: its machines would be brought it again`,
    'Deploy "offboard": true in the ring first (docs/operations.md#to-leave)',
  )
}

function orderOf(
  ring: string,
  { document, targets }: Offboarding,
  isRemoval: boolean,
  instance: string | undefined,
): Order {
  const mode = isRemoval ? 'remove' : 'look'
  const comment = `ticketring: ${ring}, offboard: ${mode}`
  return { document, targets, instance, parameters: { Mode: mode }, comment, timeout: TIMEOUT }
}

async function askMachines(manager: SystemsManager, order: Order, io: Io): Promise<readonly MachineResult[]> {
  io.onInterrupt(
    order.parameters.Mode === 'remove'
      ? 'The machines that were asked go on: the same command tells how they stand'
      : 'Nothing was changed',
  )
  try {
    return await runOnMachines(manager, order, watchedOn(io))
  } finally {
    io.endState()
    io.onInterrupt(undefined)
  }
}

function jsonOf(ring: string, isRemoval: boolean, told: readonly Told[]): string {
  const machines = told.map(({ id, name, outcome }) => ({ instance: id, name, ...outcome }))
  return JSON.stringify({ ring, mode: isRemoval ? 'remove' : 'look', machines })
}
