import { type Account, arn } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { CommandDocument } from './document.ts'

/** The account's documents: each has one version. */
export class DocumentStore {
  readonly #account: Account
  readonly #documents = new Map<string, CommandDocument>()

  constructor(account: Account) {
    this.#account = account
  }

  put(document: CommandDocument): void {
    this.#documents.set(document.name, document)
  }

  remove(name: string): void {
    this.#documents.delete(name)
  }

  /** By name or ARN. @throws AwsError `InvalidDocument` or `InvalidDocumentVersion`. */
  find(id: string, version = '$DEFAULT'): CommandDocument {
    const document = [...this.#documents.values()].find(({ name }) => id === name || this.arnOf(name) === id)
    if (!document) throw new AwsError('InvalidDocument', `document with name ${id} does not exist.`)
    if (['1', '$DEFAULT', '$LATEST'].includes(version)) return document
    throw new AwsError('InvalidDocumentVersion', `the document version ${version} does not exist.`)
  }

  arnOf(id: string): string {
    return id.startsWith('arn:') ? id : arn(this.#account, 'ssm', `document/${id}`)
  }
}
