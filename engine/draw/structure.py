"""Finds the nesting of a machine again: a list of steps, some of which split into arms that meet behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.draw.drawable import Drawable, Stop


@dataclass(frozen=True)
class Arm:
    """One way out of a fork. An empty body leads straight to what comes behind the fork.

    `onward`: the body leads there too; `back`: it leads back to the fork itself. `reached` is false for steps that the
    fork owns but no way out leads to.
    """

    label: str
    body: tuple[Block, ...]
    onward: bool = True
    reached: bool = True
    back: bool = False


@dataclass(frozen=True)
class Block:
    """A step, with its arms if it is a fork. `onward`: a line goes on from here to what comes next."""

    stop: Stop
    arms: tuple[Arm, ...] = ()
    onward: bool = True


@dataclass(frozen=True)
class Jump:
    """A way that the nesting does not explain, e.g. back to an earlier step.

    `source` None is the trigger, `target` None the end `completed`.
    """

    source: str | None
    label: str
    target: str | None


@dataclass(frozen=True)
class Structure:
    """The whole journey. `onward`: its last block (or the trigger, if there are none) leads to the end `completed`."""

    blocks: tuple[Block, ...]
    onward: bool
    jumps: tuple[Jump, ...]

    @property
    def completes(self) -> bool:
        """Whether any way leads to the natural end."""
        return self.onward or any(jump.target is None for jump in self.jumps)


def structure(machine: Drawable) -> Structure:
    """The nesting as the paths of the states tell it, checked against their targets: every way out is in it once.

    States whose paths fit nowhere stand at the end of the outermost list, joined by jumps.
    """
    lists, owned = _lists(machine.states)
    builder = _Builder(lists, owned)
    top = [stop for key in owned.pop("", []) for stop in lists[key]]
    blocks, onward = builder.blocks(top, None)
    first = top[0].id if top else None
    jumps = list(builder.jumps)
    if machine.start != first:
        jumps.insert(0, Jump(None, "", machine.start))
    return Structure(blocks, onward if blocks else True, tuple(jumps))


def _lists(states: Mapping[str, Stop]) -> tuple[dict[str, list[Stop]], dict[str, list[str]]]:
    """The states by the list they stand in, and the lists by the path of the state that owns them ('': the journey)."""
    lists: dict[str, list[Stop]] = {}
    for stop in states.values():
        lists.setdefault(stop.path.rpartition(".")[0], []).append(stop)
    paths = {stop.path for stop in states.values()}
    owned: dict[str, list[str]] = {}
    for key, stops in lists.items():
        stops.sort(key=_place)
        owner = key
        while owner and owner not in paths:
            owner = owner.rpartition(".")[0]
        owned.setdefault(owner, []).append(key)
    return lists, owned


def _place(stop: Stop) -> tuple[int, str]:
    number = stop.path.rpartition(".")[2]
    return (int(number) if number.isdecimal() else 0, number)


@dataclass
class _Builder:
    """Takes each list out of `owned` once, and notes the ways out that lead elsewhere than the nesting says."""

    lists: Mapping[str, list[Stop]]
    owned: dict[str, list[str]]
    jumps: list[Jump] = field(default_factory=list)

    def blocks(self, stops: Sequence[Stop], after: str | None) -> tuple[tuple[Block, ...], bool]:
        """The blocks of one list that goes on to `after`, and whether it does."""
        built: list[Block] = []
        for number, stop in enumerate(stops):
            following = stops[number + 1].id if number + 1 < len(stops) else after
            built.append(self._block(stop, following))
        return tuple(built), bool(built) and built[-1].onward

    def _block(self, stop: Stop, following: str | None) -> Block:
        keys = self.owned.pop(stop.path, [])
        targets = stop.targets()
        if not keys and len({target for _, target in targets}) <= 1:
            return Block(stop, (), self._plain(stop, following))
        arms: list[Arm] = []
        for label, target in targets:
            key = next((key for key in keys if self.lists[key][0].id == target), None)
            if key is not None:
                keys.remove(key)
                circle = stop.verb == "repeat"
                body, goes = self.blocks(self.lists[key], stop.id if circle else following)
                arms.append(Arm(label, body, goes and not circle, back=goes and circle))
            elif target == following:
                arms.append(Arm(label, ()))
            else:
                self.jumps.append(Jump(stop.id, label, target))
        for key in keys:  # shown all the same, so that the picture hides nothing
            body, goes = self.blocks(self.lists[key], following)
            arms.append(Arm("", body, goes, reached=False))
        return Block(stop, tuple(arms), any(arm.onward for arm in arms))

    def _plain(self, stop: Stop, following: str | None) -> bool:
        """Whether the one way out of a plain step leads to what follows it; one that leads elsewhere is a jump."""
        if not stop.targets():
            return False
        label, target = stop.targets()[0]
        if target != following:
            self.jumps.append(Jump(stop.id, label, target))
        return target == following
