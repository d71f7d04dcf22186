import { setting } from '../../lambda/kernel/settings.ts'
import { proofSettings } from '../fleet/machines.ts'
import { healthSetting, keysSetting } from './key-settings.ts'
import { keyServer, PROVES_KEYS, PROVES_STAPLES } from './server.ts'
import { pairs } from './staple-settings.ts'

export const lighttpdKeys = keyServer({
  settings: {
    keys: keysSetting('LIGHTTPD_KEYS'),
    ...healthSetting('LIGHTTPD'),
    ...proofSettings('LIGHTTPD', PROVES_KEYS),
  },
  named: 'ssl.stek-file',
  files: ({ keys }) => [keys],
  takes: () => 'whole',
  hidesTickets: true,
  announces: 7200,
  // It looks at its file once in 64 seconds, and is given up to three keys, one for each look: as many looks may be missed.
  longer: 390,
})

export const lighttpdStaples = {
  staples: setting(pairs, {
    says: 'pairs of the files `certificate`, in PEM, and `staple`, which `ssl.stapling-file` beside its `ssl.pemfile` names',
    machine: 'LIGHTTPD_STAPLES',
  }),
  ...proofSettings('LIGHTTPD', PROVES_STAPLES),
}
