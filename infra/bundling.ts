import { type BundlingOptions, LogLevel, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'

/**
 * Packages that the SDK reaches by a dynamic import() alone, when neither code nor environment gives credentials
 * (and bowser, event streams: in a browser, for streaming operations). Lambda always sets them in the environment,
 * which the SDK asks first, so these stay out of the bundle: a third of its size, and of what could leak a key.
 */
const NEVER_REACHED = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
  '@smithy/core/event-streams',
  'bowser',
] as const

/** How the functions are bundled. */
export const BUNDLING = {
  format: OutputFormat.ESM,
  target: 'es2022',
  mainFields: ['module', 'main'],
  minify: true,
  sourceMap: false,
  logLevel: LogLevel.WARNING,
  externalModules: [...NEVER_REACHED],
} satisfies BundlingOptions
