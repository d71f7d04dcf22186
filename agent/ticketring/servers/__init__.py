"""The kinds of server: one file for one server. To the stories in `ring` and `staples` they are all the same.

A module offers KEYS, STAPLES or both. A package has all of them, a document those that its `servers` name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

NAMES = ("haproxy", "nginx", "h2o", "dnsdist", "trafficserver", "lighttpd", "envoy")
_OF_EACH = """\
  {0}_OWNER         of the files: root
  {0}_VERIFY        listeners: address:port=servername or unix:/path=servername
  {0}_CLIENT_CERT, {0}_CLIENT_KEY
                      files, for guarded listeners
"""


def kinds_that(offer: str) -> Iterator[Any]:
    """The classes of those kinds of this program that offer KEYS, or STAPLES."""
    for name in NAMES:
        try:
            module = importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError:
            continue
        if hasattr(module, offer):
            yield getattr(module, offer)


def help_of(kinds: Sequence[Any]) -> str:
    """Their settings."""
    return "".join((_OF_EACH + kind.help).replace("{0}", kind.kind.upper()) for kind in kinds)
