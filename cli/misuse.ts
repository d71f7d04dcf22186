/** A command that cannot be done as it was asked: a sentence, and what to type instead. The exit code is 2. */
export class Misuse extends Error {
  override readonly name = 'Misuse'
}
