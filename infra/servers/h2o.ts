import { setting } from '../../lambda/kernel/settings.ts'
import { proofSettings } from '../fleet/machines.ts'
import { healthSetting, keysSetting } from './key-settings.ts'
import { keyServer, PROVES_KEYS, PROVES_STAPLES } from './server.ts'
import { pairs } from './staple-settings.ts'

export const h2oKeys = keyServer({
  settings: { keys: keysSetting('H2O_KEYS'), ...healthSetting('H2O'), ...proofSettings('H2O', PROVES_KEYS) },
  named: 'ticket-store and ticket-file of ssl-session-resumption',
  files: ({ keys }) => [keys],
  takes: () => 'whole',
  hidesTickets: true,
  announces: 7200,
})

export const h2oStaples = {
  staples: setting(pairs, {
    says: 'pairs of the files `certificate`, in PEM, and `staple`, which the `ocsp-update-cmd` of its listener prints',
    machine: 'H2O_STAPLES',
  }),
  ...proofSettings('H2O', PROVES_STAPLES),
}
