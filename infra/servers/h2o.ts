import { proofSettings } from '../fleet/machines.ts'
import { keysSetting } from './key-settings.ts'
import { keyServer, PROVES_KEYS } from './server.ts'

export const h2oKeys = keyServer({
  settings: { keys: keysSetting('H2O_KEYS'), ...proofSettings('H2O', PROVES_KEYS) },
  files: ({ keys }) => [keys],
  takes: () => 'whole',
  hidesTickets: true,
  announces: 7200,
})
