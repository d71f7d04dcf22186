import { type Order, runOnMachines, type SystemsManager } from '../aws/run-command.ts'
import type { DeployedRing, DeployedStack } from '../aws/stack.ts'
import { systemsManager, watchedOn } from '../aws/systems-manager.ts'
import type { Command, Io } from '../command.ts'
import { ACCOUNT, ACCOUNT_OPTIONS, deployedOf, only, read } from '../ring/words.ts'
import { ServiceError } from '../service-error.ts'
import { tellEach } from '../tell-each.ts'
import { UsageError } from '../usage-error.ts'
import { type Look, lookOf } from './look.ts'
import { exitCodeOf, preflightText } from './preflight-text.ts'

/** The document's own time-out, of the kind of server that takes longest (s). */
const TIMEOUT = 510
const OPTIONS = { ...ACCOUNT_OPTIONS, instance: { type: 'string' } } as const

export const PREFLIGHT: Command = {
  name: 'preflight',
  summary: 'whether the machines could take a ring: all that is in the way, at once',
  usage: `Usage: ticketring preflight [RING] [options]

Has each machine with the ring's tag look at itself as a delivery would: Python, openssl, tmpfs, swap, the server with its
sockets, listeners, tickets and release, whether its role may read the ring, endpoints and clock. Every problem of every machine is
told at once. It loads nothing, and leaves nothing there. Without a name, of every ring of the stack.

  --instance ID      this machine alone
${ACCOUNT}

It runs the stack's document with your own credentials: cloudformation:DescribeStacks, ssm:DescribeInstanceInformation,
ssm:SendCommand, ssm:ListCommands, ssm:ListCommandInvocations (docs/operations.md#preflight has the policy).

Exit code: 0 all could take the ring; 1 something is in the way; 2 that cannot be told, as of a machine that is offline.`,
  run: async (words, io) => {
    const { values, positionals } = read(words, OPTIONS)
    const { instance } = values
    if (instance !== undefined && positionals.length === 0)
      throw new UsageError('--instance wants the name of a ring too')
    const asked = positionals.length === 0 ? undefined : only(positionals)
    const { account, stack } = await deployedOf(values)
    const rings = asked === undefined ? stayingIn(stack) : [stack.ring(asked)]
    const tell = async (ring: DeployedRing) => {
      const looks = await looksOf(systemsManager(account), orderOf(ring, stack.name, instance), io)
      io.out(values.json === true ? jsonOf(ring.name, looks) : textOf(ring, looks, instance, io))
      return exitCodeOf(looks)
    }
    return await tellEach(rings, tell, io)
  },
}

/** Those that are not told to leave. */
function stayingIn({ name, rings }: DeployedStack): readonly DeployedRing[] {
  const staying = rings.filter(({ offboard }) => offboard === undefined)
  if (staying.length === 0) throw new UsageError(`No ring that stays in the stack ${name}`)
  return staying
}

/** @throws ServiceError for a ring that no document looks for. */
function orderOf(
  { name, preflight, offboard }: DeployedRing,
  stack: string,
  instance: string | undefined,
): Order {
  if (preflight === undefined)
    throw new ServiceError(
      `The stack ${stack} has no document that looks for the ring ${name}`,
      offboard === undefined
        ? 'Deploy this release'
        : 'It is told to leave: take "offboard" back, and deploy',
    )
  const comment = `ticketring: ${name}, preflight`
  return { ...preflight, instance, parameters: { Ring: name }, comment, timeout: TIMEOUT }
}

async function looksOf(manager: SystemsManager, order: Order, io: Io): Promise<readonly Look[]> {
  io.onInterrupt('The command runs on on the machines that were asked, and changes nothing there')
  try {
    const results = await runOnMachines(manager, order, watchedOn(io))
    return results.map((each) => lookOf(order.parameters.Ring ?? '', each))
  } finally {
    io.endState()
    io.onInterrupt(undefined)
  }
}

function textOf(
  { name, preflight }: DeployedRing,
  looks: readonly Look[],
  instance: string | undefined,
  io: Io,
): string {
  const again = ['ticketring preflight', name, ...(instance === undefined ? [] : ['--instance', instance])]
  return preflightText(name, looks, {
    columns: io.columns,
    again: again.join(' '),
    targets: preflight?.targets,
  })
}

function jsonOf(ring: string, machines: readonly Look[]): string {
  return JSON.stringify({ ring, machines })
}
