import { App, Stack } from 'aws-cdk-lib'
import { AutoScalingGroup, type CfnAutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling'
import { InstanceType, LaunchTemplate, MachineImage, Vpc } from 'aws-cdk-lib/aws-ec2'
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { TicketKeyRing } from 'ticketring'

// A group of HAProxy machines, each of which takes its first connection once it has proved the ring.
const GROUP = 'edge-haproxy'
const TAG = { tag: 'ticketring', values: ['edge'] }

const app = new App()
const stack = new Stack(app, 'Terminators', { suppressTemplateIndentation: true })
const ring = new TicketKeyRing(stack, 'Edge', {
  name: 'edge',
  targets: TAG,
  servers: {
    haproxy: {
      keySize: 80,
      keys: '/run/ticketring/edge/haproxy.keys',
      socket: '/run/haproxy/admin.sock',
      owner: 'root',
      verify: [{ address: 'unix:/run/haproxy/edge.sock', serverName: 'www.example.com' }],
    },
  },
  // A name, not a reference to the group: the document that brings it to the machines is there before them.
  launchGroups: [GROUP],
})

const role = new Role(stack, 'Machines', {
  assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
  managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('AmazonSSMManagedInstanceCore')],
})
ring.grantRead(role)

const launchTemplate = new LaunchTemplate(stack, 'Template', {
  instanceType: new InstanceType('t4g.small'),
  // An image with HAProxy, ticketring's package and the enabled boot unit.
  machineImage: MachineImage.fromSsmParameter('/images/edge-haproxy'),
  role,
  requireImdsv2: true,
})
const group = new AutoScalingGroup(stack, 'Group', {
  autoScalingGroupName: GROUP,
  vpc: Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['eu-west-1a', 'eu-west-1b'],
    privateSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
  }),
  launchTemplate,
  minCapacity: 2,
})
// What a first machine needs: its rights, and a ring that is on its way.
group.node.addDependency(ring, role)
// The list of the group itself: a hook of its own would come after the first machines.
const resource = group.node.defaultChild as CfnAutoScalingGroup
resource.lifecycleHookSpecificationList = [ring.launchHook()]
resource.tags.setTag(TAG.tag, 'edge', undefined, true)
