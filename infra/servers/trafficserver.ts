import { setting } from '../../lambda/kernel/settings.ts'
import { command, path, proofSettings } from '../fleet/machines.ts'
import { healthSetting, keysSetting } from './key-settings.ts'
import { keyServer, PROVES_KEYS, PROVES_STAPLES } from './server.ts'
import { pairs } from './staple-settings.ts'

const reload = setting(command, {
  says: 'has Traffic Server read its files: a command in words, without a shell',
  normal: 'traffic_ctl config reload',
  machine: 'TRAFFICSERVER_RELOAD',
})

export const trafficserverKeys = keyServer({
  settings: {
    keys: keysSetting('TRAFFICSERVER_KEYS'),
    reload,
    ...healthSetting('TRAFFICSERVER'),
    ...proofSettings('TRAFFICSERVER', PROVES_KEYS),
  },
  named: 'proxy.config.ssl.server.ticket_key.filename in records.config',
  files: ({ keys }) => [keys],
  // It knows layouts of 48 bytes alone.
  takes: () => 'derived',
  hidesTickets: true,
})

export const trafficserverStaples = {
  staples: setting(pairs, {
    says: 'pairs of the files `certificate`, in PEM, and `staple`, that of `ssl_ocsp_name` in its line of ssl_multicert.config',
    machine: 'TRAFFICSERVER_STAPLES',
  }),
  certificates: setting(path, {
    says: 'its list of certificates, whose time is set so that a reload reads them and their staples; none of its lines names two',
    normal: '/etc/trafficserver/ssl_multicert.config',
    machine: 'TRAFFICSERVER_CERTIFICATES',
  }),
  reload,
  ...proofSettings('TRAFFICSERVER', PROVES_STAPLES),
}
