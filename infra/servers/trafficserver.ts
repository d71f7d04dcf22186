import { setting } from '../../lambda/kernel/settings.ts'
import { command, proofSettings } from '../fleet/machines.ts'
import { keysSetting } from './key-settings.ts'
import { keyServer, PROVES_KEYS } from './server.ts'

export const trafficserverKeys = keyServer({
  settings: {
    keys: keysSetting('TRAFFICSERVER_KEYS'),
    reload: setting(command, {
      says: 'has Traffic Server read its file: a command in words, without a shell',
      normal: 'traffic_ctl config reload',
      machine: 'TRAFFICSERVER_RELOAD',
    }),
    ...proofSettings('TRAFFICSERVER', PROVES_KEYS),
  },
  files: ({ keys }) => [keys],
  // It knows layouts of 48 bytes alone.
  takes: () => 'derived',
  hidesTickets: true,
})
