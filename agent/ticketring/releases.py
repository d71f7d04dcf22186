"""Releases of servers in which a ticket may stand for the client certificate that a listener demands."""

from __future__ import annotations

import re

# Fixes of 14 to 18 August 2026 (5d5f12376, 52bdd0d02, 4a8f76220), to be in every stable branch: which releases have them could
# not be found out, and what a distribution backports does not show in the number.
_HAPROXY_WITH = (3, 5)
# CVE-2025-23419.
_NGINX_STABLE, _NGINX_MAIN = (1, 26, 3), (1, 27, 4)


def weakness_of(kind: str, release: str, has_guarded: bool) -> str:
    """Words for what is known of it, on a machine with a listener that demands a client certificate; else nothing."""
    match = re.match(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?", release)
    if not has_guarded or match is None:
        return ""
    number = (int(match[1]), int(match[2]), int(match[3] or 0))
    if kind == "haproxy" and number[:2] < _HAPROXY_WITH:
        return f"HAProxy {release} may lack the fixes of August 2026: a ticket of an open listener may open a guarded one"
    if kind == "nginx" and (number < _NGINX_STABLE or (1, 27, 0) <= number < _NGINX_MAIN):
        return f"nginx {release} may lack the fix of CVE-2025-23419: a ticket of one server may open another that is guarded"
    return ""
