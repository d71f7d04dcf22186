import { list, object, setting } from '../../lambda/kernel/settings.ts'
import { command, path, proofSettings } from '../fleet/machines.ts'
import { keySizeSetting, keysSetting, takenOf } from './key-settings.ts'
import { keyServer, MOST_FILES, PROVES_KEYS, PROVES_STAPLES } from './server.ts'

const COMMANDS = {
  test: setting(command, {
    says: 'checks the configuration: a command in words, without a shell',
    normal: 'nginx -t',
    machine: 'NGINX_TEST',
  }),
  reload: setting(command, {
    says: 'reloads the server: a command in words, without a shell',
    normal: 'systemctl reload nginx',
    machine: 'NGINX_RELOAD',
  }),
}

export const nginxKeys = keyServer({
  settings: {
    keys: keysSetting('NGINX_KEYS'),
    keySize: keySizeSetting('NGINX_KEY_SIZE'),
    ...COMMANDS,
    ...proofSettings('NGINX', PROVES_KEYS),
  },
  files: ({ keys }) => ['previous', 'current', 'next'].map((slot) => `${keys}/nginx.${slot}.key`),
  takes: takenOf,
  // It gives one, and refuses the request.
  hidesTickets: false,
})

const pairs = list(
  object({ certificate: setting(path), staple: setting(path) }),
  { least: 1, most: MOST_FILES, of: 'pairs of a certificate file and its staple file' },
  { text: (all) => all.map(({ certificate: file, staple }) => `${file}=${staple}`).join(' ') },
)

export const nginxStaples = {
  staples: setting(pairs, {
    says: 'pairs of the files `certificate`, in PEM, and `staple`, that of `ssl_stapling_file` in its server',
    machine: 'NGINX_STAPLES',
  }),
  ...COMMANDS,
  ...proofSettings('NGINX', PROVES_STAPLES),
}
