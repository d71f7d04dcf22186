import { existsSync } from 'node:fs'
import { FOLDERS, type Folder } from './folders.ts'

/** What of a folder is changed. */
export interface Choice {
  readonly folder: Folder
  /** From the project's root; none means all. */
  readonly files: readonly string[]
}

/** From folders, files and `--record`. @returns undefined where a word is none of these, or where part of a folder would be recorded. */
export function choose(words: readonly string[]): readonly Choice[] | undefined {
  const named = words.filter((word) => word !== '--record')
  const choices = FOLDERS.map(
    (folder): Choice => ({ folder, files: named.filter((word) => isOf(folder, word)) }),
  )
  const chosen = choices.filter(({ folder, files }) => files.length > 0 || named.includes(folder))
  const files = chosen.flatMap((choice) => choice.files)
  const isClear = named.every((word) => files.includes(word) || chosen.some(({ folder }) => folder === word))
  const isPart = files.length > 0 && words.includes('--record')
  return chosen.length > 0 && isClear && !isPart ? chosen : undefined
}

function isOf(folder: Folder, word: string): boolean {
  return word.startsWith(`lambda/${folder}/`) && word.endsWith('.ts') && existsSync(word)
}
