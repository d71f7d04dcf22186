import type { Answer } from '../../lambda/ring/answer.ts'
import type { DeployedRing, DeployedStack } from '../aws/stack.ts'
import type { Command } from '../command.ts'
import { tellEach } from '../tell-each.ts'
import { UsageError } from '../usage-error.ts'
import type { Placed } from './placed.ts'
import { isWell } from './state.ts'
import { statusText } from './status-text.ts'
import { tell } from './tell.ts'
import { ACCOUNT, ACCOUNT_OPTIONS, ask, DRY_RUN, deployedOf, only, REASON, read } from './words.ts'

export const STATUS: Command = {
  name: 'status',
  summary: 'how a ring stands, or all: one line where all is well',
  usage: `Usage: ticketring status [RING] [options]

Asks the function that only looks, ticketring-RING-status, which can change nothing; without a name, that of every ring of the stack.
Machines that have not proved the ring are told by their tag Name and zone as well, where you may ssm:DescribeInstanceProperties.

  --live             have the machines prove it now: sends the present generation again, as deliver does
${ACCOUNT}

Exit code: 0 every machine has proved the present generation, 1 not so, 2 that cannot be told.`,
  run: async (words, io) => {
    const { values, positionals } = read(words, { ...ACCOUNT_OPTIONS, live: { type: 'boolean' } } as const)
    const asked = positionals.length > 0 ? only(positionals) : undefined
    const { account, functions, stack } = await deployedOf(values)
    const rings = asked === undefined ? ringsOf(stack) : [stack.ring(asked)]
    const tellOf = async ({ rotation, status }: DeployedRing) => {
      if (values.live === true) await ask(functions, rotation, { action: 'deliver' }, io)
      const answer = await ask(functions, status, { action: 'status' }, io)
      await tell(answer, statusText, account, values, io)
      return isWell(answer) ? 0 : 1
    }
    return tellEach(rings, tellOf, io)
  },
}

export const ROTATE: Command = acting('rotate', 'advance now, if the gate allows', {
  about:
    'Advances the ring by one generation, if every machine has proved the present one and tickets have lived their lives.',
})

export const DELIVER: Command = acting('deliver', 'send the present generation again', {
  about:
    'Sends the present generation again, to all machines or to one. With a reason it takes a fleet that has shrunk as it is.',
  option: '  --instance ID      to this machine alone\n',
})

export const PROMOTE: Command = acting('promote', 'let all machines have what the canary has', {
  about:
    'Lets the other machines have the generation and the document that the canary has, whatever it says of them: no soak, no alarm is waited for.',
})

function acting(
  action: 'rotate' | 'deliver' | 'promote',
  summary: string,
  { about, option = '' }: { readonly about: string; readonly option?: string },
): Command {
  return {
    name: action,
    summary,
    usage: `Usage: ticketring ${action} RING [options]

${about}

${option}  --reason TEXT      for the record of the call
  --dry-run          say what would be done: ticketring-RING-status answers, which can change nothing
${ACCOUNT}

Exit code: 0 it was done, or was not due and all is well; 1 it is held or machines lack it; 2 that cannot be told.`,
    run: async (words, io) => {
      const instances = action === 'deliver' ? ({ instance: { type: 'string' } } as const) : {}
      const { values, positionals } = read(words, { ...ACCOUNT_OPTIONS, ...REASON, ...DRY_RUN, ...instances })
      const dryRun = values['dry-run'] === true
      const ring = only(positionals)
      const given = (name: 'reason' | 'instance') =>
        values[name] === undefined ? {} : { [name]: values[name] }
      const { account, functions, stack } = await deployedOf(values)
      const { rotation, status } = stack.ring(ring)
      const event = { action, ...given('reason'), ...given('instance'), ...(dryRun ? { dryRun } : {}) }
      const answer = await ask(functions, dryRun ? status : rotation, event, io)
      await tell(answer, doneText, account, values, io)
      return isWell(answer) && !isUndone(event, answer) ? 0 : 1
    },
  }
}

/** A machine that was asked for and is not there, or offline, is sent nothing, however well the others are. */
function isUndone(event: object, { decision, did }: Answer): boolean {
  return 'instance' in event && decision.action === 'hold' && did.length === 0
}

export const REVOKE: Command = {
  name: 'revoke',
  summary: 'replace all three keys at once: every session that a ticket could resume ends',
  usage: `Usage: ticketring revoke RING --reason TEXT --yes-drop-all-sessions [options]

Replaces all three keys, skips the gate, and ends with proof: which machines refuse a ticket from before, and which still accept
one. Without --yes-drop-all-sessions it says what it would replace, and changes nothing. It takes minutes, and goes on
where this command is stopped: asked again within ten minutes it goes on with the same revoke.

  --reason TEXT              why, for the record (must be given)
  --yes-drop-all-sessions    do it
${ACCOUNT}

Exit code: 0 every machine has proved that it refuses, 1 not so, 2 nothing was asked of the function or it cannot be told.`,
  run: async (words, io) => {
    const confirmed = { 'yes-drop-all-sessions': { type: 'boolean' } } as const
    const { values, positionals } = read(words, { ...ACCOUNT_OPTIONS, ...REASON, ...confirmed })
    const ring = only(positionals)
    if (values.reason === undefined) throw new UsageError('A revoke wants --reason TEXT')
    const { account, functions, stack } = await deployedOf(values)
    const { rotation, status } = stack.ring(ring)
    const event = { action: 'revoke', ring, reason: values.reason }
    if (values['yes-drop-all-sessions'] !== true) {
      const answer = await ask(functions, status, { ...event, dryRun: true }, io)
      await tell(answer, doneText, account, values, io)
      io.error('Nothing was changed. To do it: the same command with --yes-drop-all-sessions')
      return 2
    }
    const answer = await ask(functions, rotation, event, io)
    await tell(answer, doneText, account, values, io)
    return isProved(answer) ? 0 : 1
  },
}

function isProved({ proof, fleet }: Answer): boolean {
  return (
    proof !== undefined && proof.stillAccepting.length === 0 && proof.unproven === 0 && fleet !== undefined
  )
}

/** What was decided and done, and how the ring stands since. */
export function doneText(answer: Placed): string {
  const did = answer.did.map((each) => `  ${each}`)
  return [
    `${answer.ring}: ${answer.decision.action}: ${answer.decision.reason}`,
    ...did,
    statusText(answer),
  ].join('\n')
}

function ringsOf({ name, rings }: DeployedStack): readonly DeployedRing[] {
  if (rings.length === 0) throw new UsageError(`No ring in the stack ${name}`)
  return rings
}
