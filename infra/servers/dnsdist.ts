import { list, text } from '../../lambda/kernel/kinds.ts'
import { optional, setting } from '../../lambda/kernel/settings.ts'
import { command, proofSettings } from '../fleet/machines.ts'
import { healthSetting, keysSetting } from './key-settings.ts'
import { keyServer, PROVES_KEYS } from './server.ts'

const ADDRESSES = 'addresses such as 192.0.2.1:853 or [2001:db8::1]:853'

const frontends = list(
  text(/^([0-9.]{7,15}|\[[0-9a-f:.]{2,45}\]):[1-9]\d{0,4}$/, ADDRESSES),
  { least: 1, most: 20, of: ADDRESSES },
  { text: (all) => all.join(' ') },
)

export const dnsdistKeys = keyServer({
  settings: {
    keys: keysSetting('DNSDIST_KEYS'),
    console: setting(command, {
      says: "the client of dnsdist's console, to which `-e` and Lua are added: a command in words, without a shell",
      normal: 'dnsdist -c',
      machine: 'DNSDIST_CONSOLE',
    }),
    frontends: optional(frontends, {
      says: 'addresses of the `addTLSLocal` and `addDOHLocal` that take the ring, as its console shows them',
      usual: 'all',
      machine: 'DNSDIST_FRONTENDS',
    }),
    ...healthSetting('DNSDIST'),
    ...proofSettings('DNSDIST', PROVES_KEYS),
  },
  named: 'ticketKeyFile, numberOfTicketsKeys and ticketsKeysRotationDelay of addTLSLocal and addDOHLocal',
  files: ({ keys }) => [keys],
  takes: () => 'whole',
  hidesTickets: true,
  announces: 7200,
})
