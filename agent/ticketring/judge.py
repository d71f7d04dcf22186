"""What a certificate is to have by what the store holds of it: each machine judges again what the function has stored."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from .entry import check, parse_entry
from .ocsp import words_of
from .places import staple_of
from .result import Failure, note

if TYPE_CHECKING:
    from typing import Sequence

    from .servers.protocol import Place, Staple, StapleServer
    from .store import Store

# What OpenSSL and every server allow.
_SKEW = 300


class Judge:
    def __init__(self, server: StapleServer, store: Store) -> None:
        self._server, self._store = server, store
        self.ends: dict[bytes, int] = {}
        """Of each response that was judged."""

    def judge(self, place: Place, text: str | None, installed: Staple | None) -> Sequence[Staple] | None:
        """One response or none; None where it keeps what it has. Raises Failure."""
        where, told = f"{self._store.path}/{place.leaf.id}", self._store.told_of(place.leaf.id)
        if told == "" or text is None:
            if told not in ("", "all", "withdrawn"):
                raise Failure("staple-not-stored", f"wanted {where}, Parameter Store has none")
            return [] if told == "withdrawn" else None
        try:
            entry = parse_entry(text, place.leaf.id)
            if entry.state != "staple":
                return []
            staple = staple_of(place, entry.der)
            if staple is not None:
                check(entry, staple.single)
        except ValueError as error:
            wanted = f"wanted an entry of version 1 with an OCSP response in {where}"
            raise Failure("staple-malformed", f"{wanted}, found {error}") from None
        if staple is None:
            wanted = f"wanted a response for {place.certificate} (serial {place.leaf.shown_serial})"
            raise Failure("staple-wrong-certificate", f"{wanted}, {where} holds one for another")
        self._refuse_untimely(staple, entry.end)
        objection = self._server.objection(place, entry.haproxy)
        if objection:
            raise Failure("staple-refused", objection)
        _refuse_mismatch(staple, installed, told, entry.digest)
        return [staple]

    def _refuse_untimely(self, staple: Staple, end: int) -> None:
        now, least, single = time.time(), self._server.least, staple.single
        # The store may name an earlier end than the response does, or one where that has none.
        last = self.ends[staple.der] = min(single.next_update or end, end)
        if single.this_update > now + _SKEW:
            said = f"the response of {staple.place.certificate} begins {words_of(single.this_update)}"
            raise Failure("clock-skew", f"the clock here says {words_of(int(now))}, {said}")
        if last <= now + least:
            wanted = f"wanted a response for {staple.place.certificate} with more than {least} s left"
            raise Failure("staple-expired", f"{wanted}, its end is {words_of(last)}")


def _refuse_mismatch(staple: Staple, installed: Staple | None, told: str, digest: str) -> None:
    """Never an older response for a newer one."""
    certificate, begins = staple.place.certificate, staple.single.this_update
    since = installed.single.this_update if installed else begins
    if begins < since:
        than = f"{staple.place.path}, which is of {words_of(since)}"
        raise Failure("staple-mismatch", f"the store holds an older response for {certificate} than {than}")
    if told in ("all", digest):
        return
    # A store that has gone on since the order is fine; that it has, and not stayed behind, shows beside what is in place.
    if told != "withdrawn" and begins == since and not (installed and told == hashlib.sha256(installed.der).hexdigest()):
        raise Failure("staple-mismatch", f"told {told} for {certificate}, the store holds {digest}")
    note(f"told {told}, the store holds {digest} since")
