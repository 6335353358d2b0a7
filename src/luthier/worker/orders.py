"""What was ordered, or planned before, and is not obeyed yet."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import final

from luthier.core.action import Author, Change
from luthier.worker.link import Link, Order


@final
class Orders:
    """A run's orders in the order in which they came."""

    def __init__(self, link: Link, plan: Iterable[tuple[int, Change]]) -> None:
        self._link = link
        self._waiting: list[Order] = [
            {"number": number, "kind": "change", **asdict(change)} for number, change in plan
        ]

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def listen(self) -> bool:
        """Take in what has come; whether anything has."""
        new = self._link.poll()
        self._waiting += new
        return bool(new)

    def stop(self, *, can_save: bool) -> Order | None:
        """The order that ends the run now, if there is one."""
        for order in self._waiting:
            # the study ends: what cannot be saved cannot wait for another day
            ends = order["kind"] == "pause" and order.get("author") == Author.GUARD
            if order["kind"] == "stop" or (ends and not can_save):
                return order
        return None

    def due(self, at: float, kinds: tuple[str, ...] = ()) -> list[Order]:
        """Take out what has come, and what was planned up to step `at`; of some kinds, or all."""
        due: list[Order] = []
        later: list[Order] = []
        for order in self._waiting:
            planned = order.get("at_step")
            soon = (planned is None or planned <= at) and (not kinds or order["kind"] in kinds)
            (due if soon else later).append(order)
        self._waiting = later
        return sorted(due, key=lambda order: order.get("at_step") or 0.0)

    def has(self, kind: str) -> bool:
        """Whether an order of that kind waits."""
        return any(order["kind"] == kind for order in self._waiting)
