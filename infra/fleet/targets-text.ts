/** The tag of a ring's machines. */
interface Targets {
  readonly tag: string
  readonly values: readonly string[]
}

/** As an output of the stack tells it: key and values may have a `=` in them, and no key has a space. */
export function targetsText({ tag, values }: Targets): string {
  return `${tag} = ${values.join(',')}`
}

/** The inverse of {@link targetsText}; undefined for any other text. */
export function readTargets(text: string): Targets | undefined {
  const [, tag, values] = /^(\S+) = (.+)$/.exec(text) ?? []
  return tag === undefined || values === undefined ? undefined : { tag, values: values.split(',') }
}
