"""The machine's call of EC2 Auto Scaling, judged by botocore and its model of the service: the request by what botocore itself
would send, and what the program reads of an answer by what botocore reads of it."""

import unittest
from urllib.parse import parse_qsl

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from ticketring.aws import Refused
from ticketring.launch import _complete, _read
from ticketring.result import Failure

OPERATION = ServiceModel(Loader().load_service_model("autoscaling", "service-2"), "autoscaling").operation_model(
    "CompleteLifecycleAction"
)
PROTOCOL = OPERATION.metadata["protocol"]
NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
REQUEST = "<RequestId>7c6e177f-f082-11e1-ac58-3714bEXAMPLE</RequestId>"
DONE = f"<CompleteLifecycleActionResponse xmlns='{NAMESPACE}'>{{}}<ResponseMetadata>{REQUEST}</ResponseMetadata></CompleteLifecycleActionResponse>"
# Source: the API's reference.
GOOD = {
    "in one line": DONE.format("<CompleteLifecycleActionResult/>"),
    "in lines": '<?xml version="1.0"?>\n' + DONE.format("\n  <CompleteLifecycleActionResult/>\n").replace("><", ">\n  <"),
}
REFUSALS = {
    "ValidationError": "No active Lifecycle Action found with instance ID i-0123456789abcdef0",
    "AccessDenied": "User: arn:aws:sts::111122223333:assumed-role/edge/i-1 is not authorized to perform: autoscaling:CompleteLifecycleAction",
    "Throttling": "Rate exceeded",
    "ResourceContention": "You already have a pending update",
    "InternalFailure": "An error of ours: it's ours alone",
    "ExpiredToken": "The security token included in the request is expired",
    "RequestExpired": "Request has expired",
    "InvalidClientTokenId": "The security token included in the request is invalid.",
}


def refusal(code: str, message: str) -> str:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f'<ErrorResponse xmlns="{NAMESPACE}">\n  {error}\n  {REQUEST}\n</ErrorResponse>\n'


def by_botocore(status: int, text: str) -> dict:
    answer = {"status_code": status, "headers": {"content-type": "text/xml"}, "body": text.encode()}
    return create_parser(PROTOCOL).parse(answer, OPERATION.output_shape)


class Recorder:
    """Keeps what it is given to post, and answers with this."""

    def __init__(self, answers):
        self.posted, self._answers = [], answers

    def post(self, service, action, headers, body, read):
        self.posted.append((service, action, headers, body))
        status, text = self._answers.pop(0)
        found = read(text.encode())
        if status != 200:
            raise Refused(found["__type"], found["message"], found["message"])
        return found


class LaunchRequestTest(unittest.TestCase):
    def judge(self, posted, group, hook, machine):
        service, action, headers, body = posted
        wanted = {
            "AutoScalingGroupName": group,
            "LifecycleHookName": hook,
            "InstanceId": machine,
            "LifecycleActionResult": "CONTINUE",
        }
        report = ParamValidator().validate(wanted, OPERATION.input_shape)
        self.assertFalse(report.has_errors(), report.generate_report())
        sent = create_serializer(PROTOCOL).serialize_to_request(wanted, OPERATION)
        self.assertEqual(dict(parse_qsl(body.decode("ascii"), strict_parsing=True)), sent["body"])
        self.assertEqual((action, service.replace("_", "")), (sent["body"]["Action"], OPERATION.service_model.endpoint_prefix))
        kind = headers["content-type"]
        self.assertTrue(sent["headers"]["Content-Type"].startswith(kind), kind)

    def test_is_what_botocore_would_send(self):
        for group in ("edge-haproxy", "edge_1.blue", "a+b", "edge:blue/2"):
            with self.subTest(group=group):
                aws = Recorder([(200, GOOD["in one line"])])
                self.assertTrue(_complete(aws, [group], "ticketring-edge", "i-0123456789abcdef0"))
                self.judge(aws.posted[0], group, "ticketring-edge", "i-0123456789abcdef0")

    def test_goes_to_each_group_until_one_takes_it(self):
        aws = Recorder([(400, refusal("ValidationError", REFUSALS["ValidationError"])), (200, GOOD["in one line"])])
        self.assertTrue(_complete(aws, ["one", "two", "three"], "ticketring-edge", "i-1"))
        self.assertEqual(len(aws.posted), 2)
        for posted, group in zip(aws.posted, ("one", "two")):
            self.judge(posted, group, "ticketring-edge", "i-1")

    def test_a_good_answer_is_read_as_botocore_reads_it(self):
        for what, text in GOOD.items():
            with self.subTest(what):
                wanted = by_botocore(200, text)["ResponseMetadata"]["RequestId"]
                self.assertEqual(_read(text.encode()), {"id": wanted})

    def test_a_refusal_is_read_as_botocore_reads_it(self):
        for code, message in REFUSALS.items():
            with self.subTest(code):
                text = refusal(code, message)
                error = by_botocore(400, text)["Error"]
                found = _read(text.encode())
                self.assertEqual((found["__type"], found["message"]), (error["Code"], error["Message"]))

    def test_only_a_validation_error_leads_to_the_next_group(self):
        for code, message in REFUSALS.items():
            with self.subTest(code):
                aws = Recorder([(400, refusal(code, message)), (200, GOOD["in one line"])])
                if code == "ValidationError":
                    self.assertTrue(_complete(aws, ["one", "two"], "ticketring-edge", "i-1"))
                else:
                    with self.assertRaises(Failure):
                        _complete(aws, ["one", "two"], "ticketring-edge", "i-1")

    def test_what_is_no_answer_is_none(self):
        for text in ("", "<html><body>502 Bad Gateway</body></html>", "{}", "\xff"):
            self.assertEqual(_read(text.encode("latin-1")), {})
