/** What kinds of server have in common, where they take staples. */

import { list } from '../../lambda/kernel/kinds.ts'
import { object, setting } from '../../lambda/kernel/settings.ts'
import { path } from '../fleet/machines.ts'
import { MOST_FILES } from './server.ts'

export const pairs = list(
  object({ certificate: setting(path), staple: setting(path) }),
  { least: 1, most: MOST_FILES, of: 'pairs of a certificate file and its staple file' },
  {
    check: (all, place) => {
      const certificates = all.map(({ certificate: file }) => file).filter((file) => file !== '')
      for (const [index, { staple }] of all.entries())
        if (certificates.includes(staple))
          place.at(index).at('staple').note("a file of the staple's own, which no certificate is in", staple)
    },
    text: (all) => all.map(({ certificate: file, staple }) => `${file}=${staple}`).join(' '),
  },
)
