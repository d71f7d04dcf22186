"""nginx's configuration as its files have it, to tell whether others have changed it since it was loaded."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from typing import NamedTuple

# ngx_http_ssl_module's, as NginxStaples writes them: ours, and replaced by others' leave at any time.
_SNIPPET = re.compile(r"\s*ssl_stapling on;\s+ssl_stapling_file \S+;\s*")


class Configuration(NamedTuple):
    """Without the snippets of staples."""

    digest: str
    changed: float
    """When its newest file was changed, in seconds of the epoch; 0 where no file can be seen, or the clock was set back."""
    newest: str


def read_configuration(said: str) -> Configuration:
    """What `nginx -T` says: each file behind a line with its name."""
    _, *parts = re.split(r"^# configuration file (/.*):$", said, flags=re.M)
    digest, changes = hashlib.sha256(), [(0.0, "")]
    for path, text in zip(parts[::2], parts[1::2]):
        if _SNIPPET.fullmatch(text):
            continue
        digest.update(f"{path} {text.strip()}\n".encode())
        with contextlib.suppress(OSError):
            # A link to a file of long ago is a change too, and so is a file with the times of another.
            changes.append((max(os.stat(path).st_ctime, os.lstat(path).st_ctime), path))
    return Configuration(digest.hexdigest(), *max(each for each in changes if each[0] < time.time()))
