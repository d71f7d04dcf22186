import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { CfnFunction, IFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnAssociation, CfnDocument } from 'aws-cdk-lib/aws-ssm'
import { Construct } from 'constructs'
import type { FleetTarget } from '../../lambda/fleet/configuration.ts'
import { arnOf, type Wildcards } from './arns.ts'
import { rateOf } from './delivery-configuration.ts'
import type { FleetDocument } from './document.ts'

const HASH = /[0-9a-f]{12}$/

interface FleetDeliveryProps {
  readonly document: FleetDocument
  readonly targets: FleetTarget
  /** Name of the association. */
  readonly name: string
  /** Seconds from one run of the association to the next. */
  readonly repairEvery: number
  /** What the association tells the document besides to keep the program; its defaults where absent. */
  readonly parameters?: Readonly<Record<string, readonly string[]>>
  /** State Manager runs it nowhere any more. */
  readonly isStopped?: boolean
}

/** A document on its way to the machines: by Run Command when something changes, by State Manager to new and drifted ones. */
export class FleetDelivery extends Construct {
  readonly #document: FleetDocument
  readonly #targets: FleetTarget
  readonly #resource: CfnDocument
  readonly #association: CfnAssociation | undefined

  constructor(scope: Construct, id: string, props: FleetDeliveryProps) {
    super(scope, id)
    const { document, targets, isStopped = false } = props
    this.#document = document
    this.#targets = targets
    this.#resource = new CfnDocument(this, 'Document', {
      name: document.name,
      documentType: 'Command',
      documentFormat: 'JSON',
      // EC2 instances and hybrid machines alike.
      targetType: '/',
      updateMethod: 'Replace',
      content: document.content,
    })
    this.#association = isStopped ? undefined : this.#associate(props)
  }

  /** As CloudFormation knows it. */
  get documentName(): string {
    return this.#resource.ref
  }

  #associate({ document, targets, name, repairEvery, parameters }: FleetDeliveryProps): CfnAssociation {
    return new CfnAssociation(this, 'Association', {
      associationName: name,
      name: this.#resource.ref,
      documentVersion: document.version,
      targets: [{ key: `tag:${targets.tag}`, values: [...targets.values] }],
      parameters: { ...parameters, Program: ['keep'] },
      scheduleExpression: rateOf(repairEvery),
      maxConcurrency: '25%',
      // One bad machine must not stop the rest.
      maxErrors: '100%',
      complianceSeverity: 'MEDIUM',
    })
  }

  /**
   * State Manager runs an association at once on all its machines when a deploy changes its document. It keeps the program:
   * each machine repairs itself by what Run Command has brought it, ramped and proved, and a new one takes the document's.
   *
   * Puts a deploy into the one order in which no tick meets what is not there yet: the document, the function that
   * sends it, and only then the association. Machines that ran the new document before the function knows of it would
   * answer with a program that the function does not accept.
   */
  precede(handler: IFunction): void {
    const resource = handler.node.defaultChild as CfnFunction
    resource.addOverride('DependsOn', [this.#resource.logicalId])
    this.#association?.addResourceDependency(resource)
  }

  /**
   * What a function needs to deliver. Two statements for SendCommand: with both resources in one, the tag's condition
   * would have to hold for the document as well.
   */
  statements(): readonly PolicyStatement[] {
    const { tag, values } = this.#targets
    return [
      new PolicyStatement({
        sid: 'SendThisDocument',
        actions: ['ssm:SendCommand'],
        // Whatever its hash: a deploy changes the role before the function, which sends the document before it until then.
        resources: [arnOf(this, 'ssm', `document/${this.#document.name.replace(HASH, '?'.repeat(12))}`)],
      }),
      new PolicyStatement({
        sid: 'ToTaggedMachines',
        actions: ['ssm:SendCommand'],
        resources: this.#machines(),
        conditions: { StringEquals: { [`ssm:resourceTag/${tag}`]: values } },
      }),
      new PolicyStatement({
        sid: 'SeeWhatBecameOfIt',
        actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations', 'ssm:DescribeInstanceInformation'],
        resources: ['*'],
      }),
    ]
  }

  /** What a function needs to see who belongs to the fleet. */
  lookStatements(): readonly PolicyStatement[] {
    return [
      new PolicyStatement({
        sid: 'CallTheRoll',
        actions: ['ssm:DescribeInstanceInformation'],
        resources: ['*'],
      }),
    ]
  }

  /** Why those statements hold wildcards. */
  wildcards(): Wildcards {
    const onlyTagged = `Which machines is decided when the command is sent: the statement's condition holds it to those tagged ${this.#targets.tag}`
    return {
      ...Object.fromEntries(this.#machines().map((arn) => [arn, onlyTagged])),
      '*': 'ssm:ListCommands, ssm:ListCommandInvocations and ssm:DescribeInstanceInformation know no resource',
    }
  }

  /** Why {@link lookStatements} hold one. */
  lookWildcards(): Wildcards {
    return { '*': 'ssm:DescribeInstanceInformation knows no resource' }
  }

  #machines(): string[] {
    return [arnOf(this, 'ec2', 'instance/*'), arnOf(this, 'ssm', 'managed-instance/*')]
  }
}
