import { INSTANCE_REMEDIES } from '../../lambda/ring/instance-remedies.ts'
import type { UNHEARD } from './look.ts'

/** What a check of a machine finds and no run fails for. */
export const FOUND_BESIDE = {
  'mixed-listeners':
    'Give guarded listeners a ring of their own, or set "mixedClientAuthentication": "checked"',
  'release-affected': 'Update the server, or give guarded listeners a ring of their own',
  'swap-unencrypted': 'Turn it off, or put it on dm-crypt or zram: no run fails for it',
}

const WHERE_UNHEARD: Readonly<Record<(typeof UNHEARD)[number], string>> = {
  offline: 'Start the machine or its SSM agent, or terminate it',
  unanswered: 'Look there at the SSM agent and its log, then ask again',
  'answer-malformed': 'See the output of the command in Systems Manager, and what the machine runs as sh',
}

/** Before a ring is on a machine some of what a run fails for is only not done yet. */
const BEFORE = {
  'socket-unexpected':
    'Before the lines of the server name the ring: go on as docs/first-machine.md says. Else compare its configuration with what was wanted',
  'server-not-running': 'Start the terminator',
}

/** What to do about it; nothing where that is not known. */
export function remedyFor(code: string): string | undefined {
  const remedies = { ...INSTANCE_REMEDIES, ...FOUND_BESIDE, ...WHERE_UNHEARD, ...BEFORE }
  return Object.hasOwn(remedies, code) ? remedies[code as keyof typeof remedies] : undefined
}
