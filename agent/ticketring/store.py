"""What a run was told of each certificate, and what Parameter Store holds of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws import Refused
from .entry import parse_entry
from .result import Failure

if TYPE_CHECKING:
    from typing import Mapping, Sequence

    from .aws import Aws

# As Parameter Store permits.
_NAMES_PER_CALL = 10


class Store:
    def __init__(self, path: str, order: str) -> None:
        self.path = path
        self._told = dict(word.split("=") for word in order.split(",")) if order != "all" else None

    def told_of(self, certificate: str) -> str:
        """All, the SHA-256 of a response, withdrawn, or nothing where it is not named."""
        return "all" if self._told is None else self._told.get(certificate, "")

    def read(self, ids: Sequence[str], aws: Aws) -> Mapping[str, str | None]:
        """None for what it does not have."""
        texts: dict[str, str | None] = dict.fromkeys(ids)
        for at in range(0, len(ids), _NAMES_PER_CALL):
            names = {f"{self.path}/{each}": each for each in ids[at : at + _NAMES_PER_CALL]}
            try:
                found = aws.call("ssm", "AmazonSSM.GetParameters", {"Names": list(names)}).get("Parameters")
            except Refused as refused:
                wanted = f"wanted GetParameters of {self.path} in {aws.region}"
                raise Failure("endpoint-unreachable", f"{wanted}; {refused.said}") from None
            for parameter in _objects(found):
                name, value = parameter.get("Name"), parameter.get("Value")
                if isinstance(name, str) and isinstance(value, str) and name in names:
                    texts[names[name]] = value
        return texts

    def is_as_told(self, texts: Mapping[str, str | None]) -> bool:
        return all(self._is_as_told(*each) for each in texts.items())

    def _is_as_told(self, certificate: str, text: str | None) -> bool:
        told = self.told_of(certificate)
        try:
            return told == "all" or told == (text and parse_entry(text, certificate).digest or "withdrawn")
        except ValueError:
            return False


def _objects(found: object) -> list[dict[str, object]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType]
