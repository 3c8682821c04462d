"""A journey against the rest of the workspace: names it mentions, templates it sends, data they want, secrets typed in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass

from engine.catalog.data import Data, Others, Unmet
from engine.catalog.secrets import typed_in
from engine.catalog.segments import unknown_segments, unknown_topic, unknown_topics, used_in
from engine.config import Config
from engine.document import Mapping, Node, Scalar, node_at, plain, scalars
from engine.errors import Problem
from engine.grammar import INVALID, NAME, Mention, Reader, suggestion
from engine.journey.circles import Circle
from engine.journey.journey import Draft
from engine.journey.reach import walk
from engine.journey.rendered import is_template
from engine.journey.steps.base import Step
from engine.journey.steps.emit import Emit
from engine.journey.steps.send import Send
from engine.journey.steps.webhook import Webhook, faults
from engine.journey.trial_reading import topics_named
from engine.message.program import check
from engine.message.source import plain_source
from engine.templates import Templates


@dataclass(frozen=True)
class Known:
    """What there is. `segments` and `journeys` are names, those whose files have problems too; `others` are the
    journeys that read well, `around` and `endless` the circles among them.
    """

    config: Config
    templates: Templates
    segments: Collection[str]
    journeys: Collection[str]
    others: Others
    environment: Table[str, str]
    around: Sequence[Circle]
    endless: Sequence[Circle]


def check_journey(
    draft: Draft, node: Node, mentions: Iterable[Mention], known: Known, told: Collection[tuple[int, int]] = ()
) -> list[Problem]:
    """What is wrong between this journey, as far as it reads, and the others, config.yaml and the templates. `told`: lines and
    columns of what is wrong with it in itself.
    """
    return _Check(draft, node, tuple(mentions), known, Data.of(draft, known.others, known.config), told).problems()


@dataclass(frozen=True)
class _Check:
    draft: Draft
    node: Node
    mentions: tuple[Mention, ...]
    known: Known
    data: Data
    told: Collection[tuple[int, int]]

    def problems(self) -> list[Problem]:
        found = [*self._topics(), *self._segments(), *self._journeys(), *self._secrets()]
        found += [problem for node in self.draft.lost for problem in self._lost(node)]
        for step in walk(self.draft.steps):
            match step:
                case Send():
                    found += [*self._send(step), *self._vars(step)]
                    found += self._texts(
                        step, "vars", ("contact", "event", "matched", "organisation", "unsubscribe_url")
                    )
                case Webhook():
                    faulty = faults(step.request, self.known.environment, self.known.config.webhooks.allow_internal)
                    found += [self._problem(step, f"webhook.{key}", fault) for key, fault in faulty]
                    found += self._texts(step, "webhook.body", ("contact", "event", "matched", "organisation"))
                case Emit():
                    found += self._texts(step, "properties", ("contact", "event", "matched", "organisation"))
                case _:
                    pass
        return found

    @property
    def _file(self) -> str:
        return f"journeys/{self.draft.name}.yaml"

    def _at(self, node: Node | None, message: str) -> Problem:
        at = node if node is not None else self.node
        return Problem(self._file, at.line, at.column, message)

    def _problem(self, step: Step, key: str, message: str) -> Problem:
        """A problem at the value under the step's key, such as `via`, or at the step itself."""
        node = node_at(self.node, f"{step.spot.path}.{key}") if key else None
        if node is None:
            return Problem(self._file, step.spot.line, step.spot.column, message)
        return self._at(node, message)

    # --- names ---

    def _topics(self) -> Iterator[Problem]:
        for named in topics_named(self.node):
            if named.text not in self.known.config.topics:
                yield self._at(named, unknown_topic(named.text, self.known.config))
        yield from unknown_topics(self._file, self.mentions, self.known.config)

    def _segments(self) -> Iterator[Problem]:
        return unknown_segments(self._file, used_in(self.mentions), self.known.segments)

    def _journeys(self) -> Iterator[Problem]:
        for mention in self.mentions:
            if mention.what == "journey" and mention.name not in self.known.journeys:
                hint = suggestion(mention.name, self.known.journeys)
                yield Problem(self._file, mention.line, mention.column, f"unknown journey '{mention.name}'{hint}")
        for circle in self.known.around:
            if circle.journey != self.draft.name:
                continue
            message = f"journeys can't start each other in a circle: {circle.label()}"
            if circle.step is not None:
                yield self._problem(circle.step, "start", message)
            else:
                yield self._at(node_at(self.node, "trigger.finished"), message)
        for circle in self.known.endless:
            if circle.journey == self.draft.name and circle.step is not None:
                mend = "put a wait before it, or let entry.reentry of one of them be never or {after: ..}"
                yield self._problem(circle.step, "emit", f"this event goes round for ever: {circle.label()}; {mend}")

    def _secrets(self) -> Iterator[Problem]:
        found = typed_in(self.node)
        return (self._at(node, message) for node, message in found if (node.line, node.column) not in self.told)

    # --- sends ---

    def _send(self, send: Send) -> Iterator[Problem]:
        templates, config = self.known.templates, self.known.config
        if not any(templates.has(channel, send.template) for channel in send.via):
            yield self._problem(send, "send", self._unknown_template(send.template, send.via))
        for number, channel in enumerate(send.via):
            if channel not in config.channels:
                message = f"channel '{channel}' is not set up: config.yaml has no channels.{channel}"
                several = node_at(self.node, f"{send.spot.path}.via.{number}") is not None
                yield self._problem(send, f"via.{number}" if several else "via", message)
        yield from self._data_of(send)
        if self.draft.kind == "marketing":
            yield from self._marketing_mail(send)
            yield from self._marketing_whatsapp(send)

    def _unknown_template(self, template: str, via: Sequence[str]) -> str:
        names = {name for channel in via for name in self.known.templates.names(channel)}
        folders = " or ".join(f"templates/{channel}" for channel in via)
        return f"unknown template '{template}' in {folders}{suggestion(template, names)}"

    def _lost(self, node: Node) -> Iterator[Problem]:
        """The template of a send step that does not read: as far as its channels do, else looked for in every one."""
        template, via = (node.get(key) if isinstance(node, Mapping) else None for key in ("send", "via"))
        if template is None or NAME.read(template, Reader("")) is INVALID:
            return
        written = {each.text for each in scalars(via)} if via is not None else set()
        channels = [channel for channel in self.known.config.channels if channel in written]
        channels = channels or list(self.known.config.channels)
        name = plain(template)
        if isinstance(name, str) and not any(self.known.templates.has(channel, name) for channel in channels):
            yield self._at(template, self._unknown_template(name, channels))

    def _data_of(self, send: Send) -> Iterator[Problem]:
        """Variables of the send's templates that nothing surely supplies; each once, with a file that wants it."""
        told: set[str] = set()
        for channel in send.via:
            for file, paths in self.known.templates.wanted(channel, send.template).items():
                for path in sorted(paths - told):
                    unmet = self.data.unmet(path, send)
                    if unmet is not None:
                        told.add(path)
                        message = f"template '{send.template}' shows '{path}' ({file}), and {unmet.why}: {unmet.mend}"
                        yield self._problem(send, "send", f"{message}, or give it a default in the template")

    def _marketing_mail(self, send: Send) -> Iterator[Problem]:
        if "email" not in send.via or not self.known.templates.has("email", send.template):
            return
        for version in self.known.templates.lacking(send.template, "unsubscribe_url"):
            mend = f"put {{{{ unsubscribe_url }}}} into {version}"
            yield self._problem(send, "", f"marketing mail '{send.template}' lacks the unsubscribe link: {mend}")
        if not self.known.config.organisation.postal_address:
            message = f"marketing mail '{send.template}' needs organisation.postal_address in config.yaml"
            yield self._problem(send, "", message)

    def _marketing_whatsapp(self, send: Send) -> Iterator[Problem]:
        if "whatsapp" in send.via:
            for version in self.known.templates.unapproved(send.template):
                message = f"WhatsApp marketing '{send.template}' needs an approved template: put its content_sid into {version}"
                yield self._problem(send, "", message)

    # --- text in the journey itself ---

    def _vars(self, send: Send) -> Iterator[Problem]:
        for name, value in send.vars.items():
            if isinstance(value, str):
                for problem in check(plain_source(value, self._file))[1]:
                    yield self._problem(send, f"vars.{name}", f"vars.{name}: {problem.message}")

    def _texts(self, step: Step, key: str, roots: Collection[str]) -> Iterator[Problem]:
        """Variables in a step's own text that nothing surely supplies, or that mean nothing there, even with a default."""
        node = node_at(self.node, f"{step.spot.path}.{key}")
        for scalar in scalars(node) if node is not None else ():
            if isinstance(scalar.value, str) and is_template(scalar.value):
                yield from self._text(step, scalar, roots)

    def _text(self, step: Step, scalar: Scalar, roots: Collection[str]) -> Iterator[Problem]:
        examined = check(plain_source(scalar.text, self._file))[0]
        for path in sorted(examined.paths):
            root = path.partition(".")[0]
            if root not in roots:
                yield self._at(scalar, f"'{path}' is not known here (there is: {', '.join(roots)})")
            elif root == "event" and not self.draft.has_event:
                yield self._at(scalar, f"'{path}': no event starts people here, so there is no 'event'")
            elif path in examined.variables and (unmet := self.data.unmet(path, step)) is not None:
                yield self._at(scalar, _told(path, unmet))


def _told(path: str, unmet: Unmet) -> str:
    return f"'{path}' may be missing: {unmet.why}; {unmet.mend}, or write {{{{ {path} | default('..') }}}}"
