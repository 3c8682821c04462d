"""A journey against the rest of the workspace: names it mentions, templates it sends, data they want, secrets typed in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.audience.condition import SegmentUse
from engine.catalog.data import Data, Others, Unmet
from engine.catalog.secrets import typed_in
from engine.catalog.segments import unknown_segments, unknown_topic, unknown_topics
from engine.config import Config
from engine.document import Node, Scalar, node_at, scalars
from engine.errors import Problem
from engine.grammar import Mention, suggestion
from engine.journey.circles import Circle
from engine.journey.journey import Journey
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
    journeys that read well, `around` the circles among them.
    """

    config: Config
    templates: Templates
    segments: Collection[str]
    journeys: Collection[str]
    others: Others
    environment: Mapping[str, str]
    around: Sequence[Circle]


def check_journey(journey: Journey, node: Node, mentions: Iterable[Mention], known: Known) -> list[Problem]:
    """What is wrong between this journey and the others, config.yaml and the templates."""
    return _Check(journey, node, tuple(mentions), known, Data.of(journey, known.others, known.config)).problems()


@dataclass(frozen=True)
class _Check:
    journey: Journey
    node: Node
    mentions: tuple[Mention, ...]
    known: Known
    data: Data

    def problems(self) -> list[Problem]:
        found = [*self._topics(), *self._segments(), *self._journeys(), *self._secrets()]
        for step in walk(self.journey.steps):
            match step:
                case Send():
                    found += [*self._send(step), *self._vars(step)]
                    found += self._texts(
                        step, "vars", ("contact", "event", "matched", "organisation", "unsubscribe_url")
                    )
                case Webhook():
                    faulty = faults(step.request, self.known.environment, self.known.config.webhooks.allow_internal)
                    found += [self._problem(step, "", fault) for fault in faulty]
                    found += self._texts(step, "webhook.body", ("contact", "event", "matched", "organisation"))
                case Emit():
                    found += self._texts(step, "properties", ("contact", "event", "matched", "organisation"))
                case _:
                    pass
        return found

    @property
    def _file(self) -> str:
        return f"journeys/{self.journey.name}.yaml"

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
        config = self.known.config
        topic = self.journey.topic
        if topic is not None and topic not in config.topics:
            yield self._at(node_at(self.node, "topic"), unknown_topic(topic, config))
        for named in topics_named(self.node):
            if named.text not in config.topics:
                yield self._at(named, unknown_topic(named.text, config))
        yield from unknown_topics(self._file, self.mentions, config)

    def _segments(self) -> Iterator[Problem]:
        uses = [*self.journey.segments_used(), *self._of_trigger(), *self._of_exits()]
        yield from unknown_segments(self._file, uses, self.known.segments)

    def _of_trigger(self) -> Iterator[SegmentUse]:
        trigger = node_at(self.node, "trigger")
        for name in self.journey.trigger.segments:
            at = next((n for n in scalars(trigger) if n.text == name), None) if trigger is not None else None
            yield SegmentUse(name, (at or self.node).line, (at or self.node).column)

    def _of_exits(self) -> Iterator[SegmentUse]:
        for rule in self.journey.exits:
            if rule.leaves is not None:
                at = node_at(self.node, f"{rule.path}.leaves") or self.node
                yield SegmentUse(rule.leaves, at.line, at.column)

    def _journeys(self) -> Iterator[Problem]:
        for mention in self.mentions:
            if mention.what == "journey" and mention.name not in self.known.journeys:
                hint = suggestion(mention.name, self.known.journeys)
                yield Problem(self._file, mention.line, mention.column, f"unknown journey '{mention.name}'{hint}")
        for circle in self.known.around:
            if circle.journey != self.journey.name:
                continue
            message = f"journeys can't start each other in a circle: {circle.label()}"
            if circle.start is not None:
                yield self._problem(circle.start, "start", message)
            else:
                yield self._at(node_at(self.node, "trigger.finished"), message)

    def _secrets(self) -> Iterator[Problem]:
        return (self._at(node, message) for node, message in typed_in(self.node))

    # --- sends ---

    def _send(self, send: Send) -> Iterator[Problem]:
        templates, config = self.known.templates, self.known.config
        if not any(templates.has(channel, send.template) for channel in send.via):
            names = {name for channel in send.via for name in templates.names(channel)}
            folders = " or ".join(f"templates/{channel}" for channel in send.via)
            hint = suggestion(send.template, names)
            yield self._problem(send, "send", f"unknown template '{send.template}' in {folders}{hint}")
        for number, channel in enumerate(send.via):
            if channel not in config.channels:
                message = f"channel '{channel}' is not set up: config.yaml has no channels.{channel}"
                several = node_at(self.node, f"{send.spot.path}.via.{number}") is not None
                yield self._problem(send, f"via.{number}" if several else "via", message)
        yield from self._data_of(send)
        if self.journey.kind == "marketing":
            yield from self._marketing_mail(send)
            yield from self._marketing_whatsapp(send)

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
            elif root == "event" and not self.journey.trigger.has_event:
                yield self._at(scalar, f"'{path}': no event starts people here, so there is no 'event'")
            elif path in examined.variables and (unmet := self.data.unmet(path, step)) is not None:
                yield self._at(scalar, _told(path, unmet))


def _told(path: str, unmet: Unmet) -> str:
    return f"'{path}' may be missing: {unmet.why}; {unmet.mend}, or write {{{{ {path} | default('..') }}}}"
