import type { Command, ExitCode, Io } from '../command.ts'
import { operatorName } from '../operator-name.ts'
import { goingBackText } from '../staples/instead.ts'
import { UsageError } from '../usage-error.ts'
import { readable } from '../wrapped-text.ts'
import { doneText } from './commands.ts'
import type { Placed } from './placed.ts'
import { isWell } from './state.ts'
import { quarantineLines, statusText } from './status-text.ts'
import { tell } from './tell.ts'
import {
  ACCOUNT,
  ACCOUNT_OPTIONS,
  type AccountValues,
  ask,
  DRY_RUN,
  deployedOf,
  only,
  REASON,
  read,
} from './words.ts'

const FOR = { for: { type: 'string' } } as const
const OPTIONS = { ...ACCOUNT_OPTIONS, ...REASON, ...DRY_RUN, ...FOR } as const
const DRY = `  --dry-run          say what would be set: ticketring-RING-status answers, which can change nothing`
const EXIT = 'Exit code: 0 it is set, 2 it is not, or that cannot be told.'

export const PAUSE: Command = {
  name: 'pause',
  summary: 'hold new generations for a while; a revoke comes all the same',
  usage: `Usage: ticketring pause RING --for TIME --reason TEXT [options]

Holds every new generation, also past maxKeyAge, which then pages. Delivery, boot, drift repair and revoke go on. It ends by itself.

  --for TIME         with its unit, up to 7d: 90m, 4h, 2d
  --reason TEXT      why, for those who look at it meanwhile
${DRY}
${ACCOUNT}

${EXIT}`,
  run: (words, io) => {
    const { values, positionals } = read(words, OPTIONS)
    return set(only(positionals), { action: 'pause', ...lasting(values) }, values, io)
  },
}

export const RESUME: Command = {
  name: 'resume',
  summary: 'end a pause: what is due comes with the next tick',
  usage: `Usage: ticketring resume RING [options]

  --reason TEXT      for the record of the call
${DRY}
${ACCOUNT}

${EXIT}`,
  run: (words, io) => {
    const { values, positionals } = read(words, { ...ACCOUNT_OPTIONS, ...REASON, ...DRY_RUN })
    const reason = values.reason === undefined ? {} : { reason: values.reason }
    return set(only(positionals), { action: 'resume', ...reason }, values, io)
  },
}

export const QUARANTINE: Command = {
  name: 'quarantine',
  summary: 'set a machine aside for a while, so that the others do not wait for it',
  usage: `Usage: ticketring quarantine add RING INSTANCE --for TIME --reason TEXT [options]
       ticketring quarantine remove RING INSTANCE [options]
       ticketring quarantine list RING [options]

A machine that is set aside gets every generation and is named where it is behind; the others do not wait for it, and a revoke
counts it. One machine may be, or a tenth of them. It ends by itself.

  --for TIME         with its unit, up to 7d: 90m, 4h, 2d
  --reason TEXT      why
${DRY}
${ACCOUNT}

${EXIT}`,
  run: (words, io) => {
    const { values, positionals } = read(words, OPTIONS)
    const [verb = '', ring = '', instance, ...extra] = positionals
    if (extra.length > 0 || !['add', 'remove', 'list'].includes(verb))
      throw new UsageError('add, remove or list is wanted, then a ring')
    if (verb === 'list') return list(only(positionals.slice(1)), values, io)
    if (instance === undefined) throw new UsageError(`quarantine ${verb} wants a ring and a machine's id`)
    const event =
      verb === 'add'
        ? { action: 'quarantine', instance, ...lasting(values) }
        : { action: 'release', instance }
    return set(only([ring]), event, values, io)
  },
}

export const ROLLBACK: Command = {
  name: 'rollback',
  summary: 'have machines go back to the program and settings before the last deploy',
  usage: `Usage: ticketring rollback RING --reason TEXT [options]

The document of the last deploy is brought to no machine any more, and each that has it goes back to what it was brought before, by
a delivery that begins at once. The keys stay as they are, and no ticket is lost. Another deploy ends it: its document is brought.

  --reason TEXT      why, for those who look at it meanwhile
  --undo             end it: the document goes its way again, with the next generation or by deliver
${DRY}
${ACCOUNT}

Exit code: 0 every machine has proved the ring since, or with --undo it is set; 1 it is set, and not so; 2 it is not, or that cannot be told.`,
  run: async (words, io) => {
    const undo = { undo: { type: 'boolean' } } as const
    const { values, positionals } = read(words, { ...ACCOUNT_OPTIONS, ...REASON, ...DRY_RUN, ...undo })
    const { reason } = values
    if (reason === undefined) throw new UsageError('--reason TEXT is wanted')
    const ring = only(positionals)
    const event = { action: 'rollback', reason, ...(values.undo === true ? { undo: true } : {}) }
    if (values.undo === true || values['dry-run'] === true) return set(ring, event, values, io)
    const { account, functions, stack } = await deployedOf(values)
    const { rotation } = stack.ring(ring, goingBackText)
    const asked = { ...event, by: operatorName() }
    const { did } = await ask(functions, rotation, asked, io)
    if (values.json !== true) io.out(`${ring}: ${did.join('; ')}`)
    const answer = await ask(functions, rotation, { action: 'deliver' }, io)
    await tell(answer, doneText, account, values, io)
    return isWell(answer) ? 0 : 1
  },
}

interface Given extends AccountValues {
  readonly 'dry-run'?: boolean | undefined
}

function lasting(values: { readonly for?: string | undefined; readonly reason?: string | undefined }) {
  if (values.for === undefined) throw new UsageError('--for TIME is wanted, with its unit: 90m, 4h, 2d')
  if (values.reason === undefined) throw new UsageError('--reason TEXT is wanted')
  return { for: values.for, reason: values.reason }
}

async function set(
  ring: string,
  event: { readonly action: string },
  values: Given,
  io: Io,
): Promise<ExitCode> {
  const isDry = values['dry-run'] === true
  const asked = { ...event, by: operatorName(), ...(isDry ? { dryRun: true } : {}) }
  const { account, functions, stack } = await deployedOf(values)
  const { rotation, status } = stack.ring(ring, event.action === 'rollback' ? goingBackText : undefined)
  const answer = await ask(functions, isDry ? status : rotation, asked, io)
  await tell(answer, setText, account, values, io)
  return 0
}

function setText(answer: Placed): string {
  const isDry = answer.did.length === 0
  const what = isDry ? answer.decision.reason : answer.did.join('; ')
  const status = [...(isDry ? ['Nothing was changed. It would then stand so:'] : []), statusText(answer)]
  return [`${answer.ring}: ${what}`, ...(answer.generation === undefined ? [] : status)].join('\n')
}

async function list(ring: string, values: Given, io: Io): Promise<ExitCode> {
  const { functions, stack } = await deployedOf(values)
  const answer = await ask(functions, stack.ring(ring).status, { action: 'status' }, io)
  const { quarantine = [] } = answer
  const lines = quarantine.length === 0 ? [`${ring}: no machine is set aside`] : quarantineLines(answer)
  io.out(values.json === true ? JSON.stringify(quarantine) : readable(io, lines.join('\n')))
  return 0
}
