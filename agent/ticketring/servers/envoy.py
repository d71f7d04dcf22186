"""Envoy: a resource of its secret discovery service (SDS) in a file, which it takes when a file is moved to that place.

Source: Envoy's documentation, "Secret discovery service (SDS)"; its API v3, config_source.proto (path_config_source),
secret.proto (Secret), common.proto (TlsSessionTicketKeys). It was not run: no registry has it.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from ..files import Replacement
from ..handshake import Problem
from .key_file import KeyFile

if TYPE_CHECKING:
    from typing import ClassVar

    from ..keys import Ring
    from .protocol import Machine

_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
_NAME = "session_ticket_keys"


class EnvoyKeys(KeyFile):
    """Of the keys the first encrypts, and all decrypt. Each is name, HMAC, AES in 80 bytes."""

    kind: ClassVar[str] = "envoy"
    needs: ClassVar[str] = "ENVOY_KEYS"
    help: ClassVar[str] = f"""\
  ENVOY_KEYS          file, *.json
  ENVOY_GUARDED       guarded listeners
  ENVOY_HEALTH_CHECK  words, no shell: asked after a load
  ENVOY_SECRET        name of the secret in it: {_NAME}
"""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._secret = machine.settings.text("ENVOY_SECRET", r"[A-Za-z0-9_./:@-]+", "a secret's name", _NAME)

    def content(self, ring: Ring) -> bytes:
        keys = (ring.current, ring.next, ring.previous)
        entries = [{"inline_bytes": base64.b64encode(key.laid_out(80, hmac_first=True)).decode()} for key in keys]
        secret = {"@type": _SECRET, "name": self._secret, "session_ticket_keys": {"keys": entries}}
        return f"{json.dumps({'resources': [secret]})}\n".encode("ascii")

    def load(self, ring: Ring) -> None:
        """It was told by the move; where the file was there before, it is moved there once more."""
        self.reloaded = True
        file = self.file(ring)
        if file.directory.stat(file.neighbour("old")) is None:
            again = Replacement([file], 0o400, self.owner)
            again.place(self.machine.deadline)
            again.keep()

    def explain(self, problem: Problem) -> Problem:
        if problem.code != "verify-wrong-key":
            return problem
        words = f"that its session_ticket_keys_sds_config has {self.path} and the name {self._secret}"
        return Problem(problem.code, f"{problem.detail}; see {words}, and that its user can read it (ENVOY_OWNER)")

    def restore(self) -> None:
        """The file was moved back, which tells it."""


KEYS = EnvoyKeys
