import { dirname, resolve } from 'node:path'
import type { Findings, Spot } from '../findings.ts'
import type { Disk } from '../places.ts'
import { type Node, readDirectives, UnreadableFile } from './words.ts'

/** Files within files, and all of them. */
const [DEEPEST, MOST_FILES] = [16, 500]

/** A user's nginx.conf with what it includes in its place; what cannot be read is among the findings. */
export class Includes {
  readonly #disk: Disk
  readonly #findings: Findings
  readonly #folder: string
  #files = 0

  /** @param file the one that the others are named relative to. */
  constructor(file: string, disk: Disk, findings: Findings) {
    this.#folder = dirname(resolve(file))
    this.#disk = disk
    this.#findings = findings
  }

  read(text: string, file: string, depth = 0): readonly Node[] {
    try {
      return this.#expanded(readDirectives(text, file), depth)
    } catch (error) {
      if (!(error instanceof UnreadableFile)) throw error
      this.#findings.refuse(error.spot, error.message, 'mend it')
      return []
    }
  }

  #expanded(nodes: readonly Node[], depth: number): readonly Node[] {
    return nodes.flatMap((node) => {
      const { words, spot, block } = node
      if (block !== undefined) return [{ ...node, block: this.#expanded(block, depth) }]
      return words[0] === 'include' && words.length === 2
        ? this.#include(words[1] as string, spot, depth)
        : [node]
    })
  }

  #include(pattern: string, spot: Spot, depth: number): readonly Node[] {
    const path = resolve(this.#folder, pattern)
    const files = this.#disk.matching(path)
    this.#files += files.length
    if (depth >= DEEPEST || this.#files > MOST_FILES) {
      this.#findings.refuse(
        spot,
        `include ${pattern}: too many files within files`,
        'include fewer in a copy',
      )
      return []
    }
    if (files.length === 0 && !/[*?[]/.test(pattern))
      this.#findings.refuse(
        spot,
        `include ${pattern}: there is no ${path}`,
        'name a copy with all that it includes',
      )
    return files.flatMap((file) => {
      const text = this.#disk.read(file)
      if (text !== undefined) return this.read(text, file, depth + 1)
      this.#findings.refuse(
        spot,
        `include ${pattern}: ${file} cannot be read as text`,
        'name a copy that can be',
      )
      return []
    })
  }
}
