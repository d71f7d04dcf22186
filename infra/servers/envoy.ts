import { text } from '../../lambda/kernel/kinds.ts'
import { setting } from '../../lambda/kernel/settings.ts'
import { proofSettings } from '../fleet/machines.ts'
import { healthSetting, keysSetting } from './key-settings.ts'
import { keyServer, PROVES_KEYS } from './server.ts'

export const envoyKeys = keyServer({
  settings: {
    keys: keysSetting('ENVOY_KEYS'),
    secret: setting(text(/^[A-Za-z0-9_./:@-]{1,64}$/, 'the name of a secret'), {
      says: 'name of the secret in the file, as the `session_ticket_keys_sds_config` of the listener has it',
      normal: 'session_ticket_keys',
      machine: 'ENVOY_SECRET',
    }),
    ...healthSetting('ENVOY'),
    ...proofSettings('ENVOY', PROVES_KEYS),
  },
  named: 'session_ticket_keys_sds_config of each DownstreamTlsContext',
  files: ({ keys }) => [keys],
  takes: () => 'whole',
  hidesTickets: true,
})
