import { setting } from '../../lambda/kernel/settings.ts'
import { command, path, paths, proofSettings } from '../fleet/machines.ts'
import { healthSetting, keySizeSetting, keysSetting, takenOf } from './key-settings.ts'
import { keyServer, MOST_FILES, PROVES_KEYS, PROVES_STAPLES } from './server.ts'

const socket = setting(path, { says: 'runtime socket of HAProxy, at level admin', machine: 'HAPROXY_SOCKET' })

export const haproxyKeys = keyServer({
  settings: {
    keys: keysSetting('HAPROXY_KEYS'),
    keySize: keySizeSetting('HAPROXY_KEY_SIZE'),
    socket,
    ...healthSetting('HAPROXY'),
    ...proofSettings('HAPROXY', PROVES_KEYS),
  },
  named: 'tls-ticket-keys FILE on each bind',
  files: ({ keys }) => [keys],
  takes: takenOf,
  hidesTickets: true,
})

export const haproxyStaples = {
  certificates: setting(paths(MOST_FILES), {
    says: 'PEM files, or directories of `*.pem`, as `crt` names them; of a bundle, `*.pem.rsa` and the like; the staple of a file is `<file>.ocsp`',
    machine: 'HAPROXY_CERTS',
  }),
  socket,
  reload: setting(command, {
    says: 'what makes HAProxy forget a withdrawn staple and, before 3.5, take a fresh one; rings never reload it',
    normal: 'systemctl reload haproxy',
    machine: 'HAPROXY_RELOAD',
  }),
  ...proofSettings('HAPROXY', PROVES_STAPLES),
}
