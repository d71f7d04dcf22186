import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { describe, it } from 'vitest'
import { buildTerminators } from '../../docs/examples/own-app.ts'

describe('the sample of an app of your own', () => {
  it('has a ring, a set of staples, and a role that may read both', () => {
    const app = new App({
      builtinCloudFormationValidation: false,
      context: { 'aws:cdk:bundling-stacks': [] },
    })
    const template = Template.fromStack(buildTerminators(app))
    template.hasResourceProperties('AWS::SecretsManager::Secret', { Name: 'ticketring/edge' })
    template.hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'ticketring-web-staples' })
    template.hasResourceProperties('AWS::IAM::Policy', { Roles: ['terminators'] })
  })
})
