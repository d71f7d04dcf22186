"""Asks AWS in the machine's own role: IMDSv2, the agent's shared file or the environment; Signature Version 4."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from .clock import Deadline
from .files import read_public
from .http import Address, NoAnswer, ask, proxy_for
from .result import Failure

if TYPE_CHECKING:
    from typing import Callable, Mapping

    from .http import Answer
    from .settings import Settings

    Reader = Callable[[bytes], dict[str, object]]

LARGEST_ANSWER = 1_048_576
_TRIES = 3
_METADATA = {"ipv4": "http://169.254.169.254", "ipv6": "http://[fd00:ec2::254]"}
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]+)+-[0-9]{1,2}")
# By the area at the head of the Region's name, as infra/fleet/regions.ts has them. Source: botocore's partitions.json.
_SUFFIXES = {
    "af|ap|ca|eu|il|me|mx|sa|us|us-gov": "amazonaws.com",
    "cn": "amazonaws.com.cn",
    "eusc-de": "amazonaws.eu",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "eu-isoe": "cloud.adc-e.uk",
    "us-isof|eu-isof": "csp.hci.ic.gov",
}
_PARTS = "(central|(north|south)?(east|west)|north|south)-[0-9]"
_ADDRESS = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?/?")
_CREDENTIAL = re.compile(r"[!-~]{0,8192}")
# By status, kind and message of a refusal: the first that fits. The first two pass with time.
_CAUSES = {
    "throttled": "429|... (ThrottlingException|TooManyRequestsException|RequestLimitExceeded|Throttling):",
    "endpoint-unreachable": "[5-9]|... :",
    "clock-skew": "(?s).*(RequestTimeTooSkewed|Signature expired|Signature not yet current|RequestExpired)",
    "no-credentials": "... (ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch"
    "|MissingAuthenticationToken|IncompleteSignature)",
    "access-denied": "... (AccessDenied|DecryptionFailure|KMSAccessDenied)",
}


class Credentials(NamedTuple):
    access_key: str
    secret_key: str
    token: str
    origin: str

    def __repr__(self) -> str:
        return f"Credentials(from {self.origin})"


def passes(failure: Failure) -> bool:
    """Whether AWS, the network or the clock may mend it with time."""
    code = failure.code
    return code.startswith("endpoint-") or code in ("no-credentials", "access-denied", "clock-skew", "throttled")


class Refused(Exception):
    """AWS says no for a reason of the operation's own. Its messages name actions and resources, never a value."""

    def __init__(self, kind: str, message: str, said: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.message = message
        self.said = said


def flat(body: bytes) -> dict[str, object]:
    """A JSON object; an empty one for anything else."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


# ---- Credentials

_PLACES = "wanted some in the environment, the instance metadata or a shared file"


class NoRole(Failure):
    """The metadata service is not there, or names no role."""


class Metadata:
    """The instance metadata service, version 2."""

    def __init__(self, environment: Mapping[str, str], deadline: Deadline) -> None:
        mode = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv4").lower()
        endpoint = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _METADATA.get(mode, _METADATA["ipv4"])
        self._base = endpoint.rstrip("/")
        self._off = environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
        self._deadline = deadline
        self._token: dict[str, str] = {}

    def region(self) -> str:
        return self.get("meta-data/placement/region")

    def role(self) -> str:
        """Its name. Raises NoRole where the service is not there or names none."""
        return self.get("meta-data/iam/security-credentials/").split("\n")[0]

    def credentials(self, role: str) -> Credentials:
        found = flat(self.get(f"meta-data/iam/security-credentials/{role}").encode())
        key, secret, token = (found.get(name) for name in ("AccessKeyId", "SecretAccessKey", "Token"))
        if isinstance(key, str) and isinstance(secret, str) and isinstance(token, str) and key and secret:
            return Credentials(key, secret, token, f"the instance role {role}")
        # A role that cannot be assumed yet is answered with 200 as well.
        raise Failure("no-credentials", f"the instance metadata gave none for {role}: {found.get('Code', 'unreadable')}")

    def get(self, path: str) -> str:
        """Raises NoRole where there is none."""
        if not self._token:
            token = self._ask("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
            self._token = {"X-aws-ec2-metadata-token": token}
        return self._ask("GET", path, self._token)

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        if self._off:
            raise NoRole("no-credentials", f"{_PLACES}; AWS_EC2_METADATA_DISABLED is true")
        try:
            answer = ask(method, f"{self._base}/latest/{path}", headers, b"", "", Deadline(3, self._deadline))
        except NoAnswer as none:
            raise NoRole("no-credentials", f"{_PLACES}; none answers at {self._base}: {none.words}") from None
        text = answer.body.decode("ascii", "replace")
        if answer.status == 200 and re.fullmatch(r"[ -~\s]+", text):
            return text
        kind = Failure if answer.status in (200, 429) or answer.status >= 500 else NoRole
        no_text = " and no text" if answer.status == 200 else ""
        raise kind("no-credentials", f"{_PLACES}; it answers {path} with {answer.status}{no_text}")


def find_credentials(environment: Mapping[str, str], metadata: Metadata) -> Credentials:
    """On EC2 the instance's own role: with Default Host Management the agent names another role's shared file there."""
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return Credentials(key, secret, environment.get("AWS_SESSION_TOKEN", ""), "the environment")
    shared = read_shared_file(environment)
    if shared is not None and environment.get("AWS_SSM_INSTANCE_ID", "").startswith("mi-"):
        return shared
    try:
        role = metadata.role()
    except NoRole:
        if shared is None:
            raise
        return shared
    return metadata.credentials(role)


def read_shared_file(environment: Mapping[str, str]) -> Credentials | None:
    path = environment.get("AWS_SHARED_CREDENTIALS_FILE") or f"{environment.get('HOME', '/root')}/.aws/credentials"
    profile, section = environment.get("AWS_PROFILE", "default"), ""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in read_public(path).decode("ascii").split("\n"):
            name, sign, value = line.partition("=")
            if line.startswith("["):
                section = line.strip()
            elif sign and section == f"[{profile}]":
                found[name.strip()] = value.strip()
    key, secret = found.get("aws_access_key_id"), found.get("aws_secret_access_key")
    return Credentials(key, secret, found.get("aws_session_token", ""), path) if key and secret else None


# ---- Calls


def endpoint_of(service: str, region: str, settings: Settings, environment: Mapping[str, str]) -> str:
    """As the SDKs do: an address for the one service goes before that for all; the setting goes before either.

    service: in the words of that variable, in lower case.
    """
    variable = f"AWS_ENDPOINT_URL_{service.upper()}"
    service = service.replace("_", "")
    setting = f"ENDPOINT_{service.upper()}"
    told = [(setting, settings.get(setting)), *((name, environment.get(name, "")) for name in (variable, "AWS_ENDPOINT_URL"))]
    for name, address in told:
        if address and _ADDRESS.fullmatch(address) is None:
            raise Failure("config-invalid", f"wanted {name} as https://host or https://host:port, found something else")
        if address:
            return address.rstrip("/")
    for areas, suffix in _SUFFIXES.items():
        if re.fullmatch(f"({areas})-{_PARTS}", region):
            return f"https://{service}.{region}.{suffix}"
    raise Failure("config-invalid", f"wanted REGION of a known partition, or {setting}, found {region}")


def sign(
    who: Credentials, region: str, service: str, host: str, headers: Mapping[str, str], body: bytes, stamp: str
) -> dict[str, str]:
    """Headers of a POST to /, names in lower case. Source: IAM User Guide, Signature Version 4."""
    token = {"x-amz-security-token": who.token} if who.token else {}
    signed = {**headers, **token, "host": host, "x-amz-date": stamp}
    names = ";".join(sorted(signed))
    lines = [f"{name}:{signed[name]}" for name in sorted(signed)]
    canonical = "\n".join(["POST", "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{who.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    credential = f"Credential={who.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "authorization": f"AWS4-HMAC-SHA256 {credential}"}


class Aws:
    """Calls of this machine to its Region."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], deadline: Deadline) -> None:
        metadata = Metadata(environment, deadline)
        self._settings, self._environment, self._deadline = settings, environment, deadline
        self._who = find_credentials(environment, metadata)
        if not all(_CREDENTIAL.fullmatch(value) for value in self._who[:3]):
            raise Failure("no-credentials", f"the credentials from {self._who.origin} hold characters that none can")
        names = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SSM_REGION_NAME")
        told = [settings.get("REGION"), *(environment.get(name, "") for name in names)]
        self.region = next(filter(None, told), "") or metadata.region()
        if _REGION.fullmatch(self.region) is None:
            raise Failure("config-invalid", f"wanted REGION such as eu-central-1, found '{self.region}'")

    def call(self, service: str, target: str, request: Mapping[str, object]) -> dict[str, object]:
        """What AWS answers. Raises Failure, or Refused."""
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
        return self.post(service, target.rpartition(".")[2], headers, json.dumps(request).encode(), flat)

    def post(self, service: str, action: str, plain: Mapping[str, str], body: bytes, read: Reader) -> dict[str, object]:
        """As `call`, in the protocol of these headers; `read` makes of an answer what JSON 1.1 would have, or nothing."""
        endpoint = endpoint_of(service, self.region, self._settings, self._environment)
        for attempt in range(1, _TRIES + 1):
            try:
                return self._try(service, endpoint, plain, body, read)
            except NoAnswer as none:
                if attempt == _TRIES or self._deadline.passed() or none.code == "config-invalid":
                    raise Failure(none.code, f"wanted {action} from {endpoint}, got {none.words}") from None
            self._deadline.pause(attempt)
        raise AssertionError

    def _try(self, service: str, endpoint: str, plain: Mapping[str, str], body: bytes, read: Reader) -> dict[str, object]:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = sign(self._who, self.region, service.replace("_", ""), Address(endpoint).netloc, plain, body, stamp)
        proxy = proxy_for(endpoint, self._environment)
        answer = ask("POST", f"{endpoint}/", headers, body, proxy, Deadline(10, self._deadline))
        found = read(answer.body)
        if answer.status != 200:
            raise self._refusal(answer, found)
        if not found:
            raise NoAnswer("endpoint-unreachable", "an answer that is none")
        return found

    def _refusal(self, answer: Answer, found: dict[str, object]) -> Exception:
        """NoAnswer for what passes with time."""
        kind = str(found.get("__type", "")).rpartition("#")[2]
        message = str(found.get("message", found.get("Message", "")))
        words = f"{answer.status} {kind}: {message}"
        code = next((code for code, pattern in _CAUSES.items() if re.match(pattern, words)), "")
        if code in ("throttled", "endpoint-unreachable"):
            return NoAnswer(code, f"{answer.status} {kind}")
        said = f"{kind}: {message} (credentials from {self._who.origin})"
        if code == "clock-skew":
            here = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
            said = f"the clock here says {here}, AWS says {answer.date}; {said}"
        if code == "no-credentials":
            said = f"wanted credentials that AWS accepts; {said}"
        return Failure(code, said) if code else Refused(kind, message, f"{answer.status} {said}")
