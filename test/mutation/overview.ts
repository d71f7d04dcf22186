import { FOLDERS, type Folder } from './folders.ts'
import { type Accepted, type Score, shareOf } from './record.ts'

/** The least share that a folder's tests have to notice. */
export const LEAST = 0.85

export type Scores = Readonly<Partial<Record<Folder, Score>>>

/** What is on record: each folder's score, and behind it what none of its tests has to notice, with the reason. */
export function overviewOf(scores: Scores, accepted: readonly Accepted[]): string {
  return FOLDERS.flatMap((folder) => {
    const own = accepted.filter(({ file }) => file.startsWith(`lambda/${folder}/`))
    return [standingOf(folder, scores[folder], own.length), ...own.map(acceptedLine)]
  }).join('\n')
}

/** Whether each folder is on record with no less than the least. */
export function isEnough(scores: Scores): boolean {
  return FOLDERS.every((folder) => reaches(scores[folder], LEAST))
}

export function reaches(score: Score | undefined, least: number): boolean {
  return score !== undefined && score.killed / score.mutants >= least
}

function standingOf(folder: Folder, score: Score | undefined, accepted: number): string {
  if (score === undefined) return `${folder}: not recorded`
  const counts = `${score.killed} of ${score.mutants} changes noticed, ${accepted} accepted`
  return `${folder}: ${shareOf(score)} (${counts})`
}

/** A change that is accepted, and why. */
export function acceptedLine({ file, original, replacement, reason }: Accepted): string {
  return `  accepted: ${file}: ${onOneLine(original)} → ${onOneLine(replacement)}: ${reason}`
}

/** The beginning of a text, as a line has room for it. */
export function onOneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 120)
}
