"""Intents and receipts: a send is committed as `sending` before the wire, and as what the provider said after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from engine.store.sends import LEASE

# --- facts for permit -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LockedSend:
    """A claimed send with all that `permit` and rendering need, read under the contact's row lock.

    `ours`: still planned, under our fence and lease. `consents`: channel -> newest consent row id, where it gives
    consent. `suppressed`: channel -> scopes. `begun`: other messages of the same passage through the same version that
    have had an intent.
    """

    id: int
    fence: int
    ours: bool
    enrollment_id: int
    contact_id: int
    step: str
    round: int
    visit: int
    journey: str
    version_id: int
    kind: str
    topic: str | None
    template: str
    via: tuple[str, ...]
    refused: frozenset[str]
    expires_at: datetime | None
    due_at: datetime
    priority: int
    attempts: int
    message_id: str | None
    begun: int
    enrolled: bool
    held: bool
    shut_channels: frozenset[str]
    entered_at: datetime
    trigger_event_id: int | None
    key: str
    event: Mapping[str, Any]
    matched: Mapping[str, Any] | None
    contact: Mapping[str, Any]
    consents: Mapping[str, int]
    suppressed: Mapping[str, list[str]]


_LOCK = text("""
SELECT id FROM contact WHERE id = ANY(CAST(:contacts AS bigint[])) ORDER BY id FOR UPDATE
""")

# Read after the locks are held: READ COMMITTED gives this statement a snapshot that includes every opt-out whose
# transaction had the lock before us.
_FACTS = text("""
SELECT s.id, s.fence, s.enrollment_id, s.contact_id, s.step, s.round, s.visit, s.journey, s.version_id, s.kind, s.topic,
       s.template, s.via, s.refused, s.expires_at, s.due_at, s.priority, s.attempts, s.message_id,
       (SELECT count(*) FROM send o WHERE o.enrollment_id = s.enrollment_id AND o.version_id = s.version_id
           AND o.id <> s.id AND o.intent_at IS NOT NULL) AS begun,
       (s.state = 'planned' AND s.fence = :fence AND s.lease_until > clock_timestamp()) AS ours,
       e.state = 'active' AND e.visit = s.visit AS enrolled,
       EXISTS (SELECT 1 FROM hold h WHERE h.lifted_at IS NULL AND ((h.scope = 'journey' AND h.name = s.journey)
               OR (h.scope = 'run' AND h.name = CAST(s.run_id AS text)))) AS held,
       (SELECT array_agg(h.name) FROM hold h WHERE h.lifted_at IS NULL AND h.scope = 'channel') AS shut_channels,
       e.entered_at, e.trigger_event_id, e.key, e.event, e.matched,
       c.user_id, c.email, c.phone, c.locale, c.timezone, c.traits, c.erased_at, c.merged_into,
       given.consents, shut.suppressed
FROM send s
JOIN enrollment e ON e.id = s.enrollment_id
JOIN contact c ON c.id = s.contact_id
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(newest.channel, newest.id) FILTER (WHERE newest.given) AS consents
    FROM (SELECT DISTINCT ON (k.channel) k.channel, k.id, k.given FROM consent k
          WHERE k.contact_id = s.contact_id AND k.topic = s.topic AND k.channel = ANY(s.via)
          ORDER BY k.channel, k.id DESC) AS newest
) AS given ON true
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(by_channel.channel, by_channel.scopes) AS suppressed
    FROM (SELECT p.channel, jsonb_agg(p.scope) AS scopes FROM suppression p
          WHERE p.channel = ANY(s.via) AND p.address = CASE WHEN p.channel = 'email' THEN lower(c.email) ELSE c.phone END
          GROUP BY p.channel) AS by_channel
) AS shut ON true
WHERE s.id = ANY(CAST(:ids AS bigint[]))
ORDER BY s.id
""")


def lock(conn: Connection, ids: Sequence[int], contacts: Sequence[int], fence: int) -> list[LockedSend]:
    """Lock the contacts of these sends in the order of their ids, then read what decides about each send."""
    conn.execute(_LOCK, {"contacts": sorted(set(contacts))})
    return [_locked(row) for row in conn.execute(_FACTS, {"ids": list(ids), "fence": fence})]


def _locked(row: Any) -> LockedSend:
    gone = row.erased_at is not None or row.merged_into is not None
    # An address is what was checked on its way in, never a trait that happens to be called so.
    person = {name: value for name, value in row.traits.items() if name not in ("email", "phone")}
    person |= {
        name: value
        for name in ("user_id", "email", "phone", "locale", "timezone")
        if (value := getattr(row, name)) is not None
    }
    return LockedSend(
        id=row.id, fence=row.fence, ours=row.ours, enrollment_id=row.enrollment_id, contact_id=row.contact_id,
        step=row.step, round=row.round, visit=row.visit, journey=row.journey, version_id=row.version_id, kind=row.kind,
        topic=row.topic, template=row.template, via=tuple(row.via), refused=frozenset(row.refused),
        expires_at=row.expires_at, due_at=row.due_at, priority=row.priority,
        attempts=row.attempts, message_id=row.message_id, begun=row.begun, enrolled=row.enrolled and not gone,
        held=row.held, shut_channels=frozenset(row.shut_channels or ()), entered_at=row.entered_at, trigger_event_id=row.trigger_event_id, key=row.key, event=row.event,
        matched=row.matched, contact=person, consents=row.consents or {}, suppressed=row.suppressed or {},
    )  # fmt: skip


@dataclass(frozen=True)
class Due:
    """A marketing send that is due, and that nobody has decided about yet."""

    id: int
    priority: int
    due_at: datetime
    journey: str


@dataclass(frozen=True)
class Crowd:
    """Per contact: when each of their marketing sends had its intent, by send; and which others are due."""

    intents: Mapping[int, Mapping[int, datetime]]
    due: Mapping[int, Sequence[Due]]


_INTENTS = text("""
SELECT contact_id, id, intent_at FROM send
WHERE contact_id = ANY(CAST(:contacts AS bigint[])) AND intent_at > :since AND kind = 'marketing'
""")

# What a hold or a throttle keeps back may stay for long: nobody makes way for it.
_DUE = text("""
SELECT s.contact_id, s.id, s.priority, s.due_at, s.journey FROM send s
WHERE s.contact_id = ANY(CAST(:contacts AS bigint[])) AND s.state = 'planned' AND s.kind = 'marketing' AND s.next_at <= :now
  AND s.id <> ALL(CAST(:group AS bigint[]))
  AND NOT EXISTS (SELECT 1 FROM bucket b WHERE b.journey = s.journey AND b.free_at > :now)
  AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.lifted_at IS NULL AND (
      (h.scope = 'journey' AND h.name = s.journey) OR (h.scope = 'run' AND h.name = CAST(s.run_id AS text))
      OR (h.scope = 'channel' AND h.name = ANY(s.via))))
""")


def crowd(conn: Connection, contacts: Sequence[int], group: Sequence[int], since: datetime, now: datetime) -> Crowd:
    """The marketing sends of these contacts, whose rows are locked: intents later than `since`, and what is due besides
    the sends of `group`.
    """
    had: dict[int, dict[int, datetime]] = {}
    for row in conn.execute(_INTENTS, {"contacts": list(contacts), "since": since}):
        had.setdefault(row.contact_id, {})[row.id] = row.intent_at
    due: dict[int, list[Due]] = {}
    for row in conn.execute(_DUE, {"contacts": list(contacts), "group": list(group), "now": now}):
        due.setdefault(row.contact_id, []).append(Due(row.id, row.priority, row.due_at, row.journey))
    return Crowd(had, due)


# --- writing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Intent:
    """A send that goes over the wire after this transaction commits."""

    send_id: int
    attempt: int
    channel: str
    address: str
    consent_id: int | None
    template_hash: str
    config_hash: str
    message_id: str | None


_INTEND = text("""
WITH v AS (
    SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:channels AS text[]), CAST(:addresses AS text[]),
        CAST(:consents AS bigint[]), CAST(:hashes AS text[]), CAST(:configs AS text[]), CAST(:messages AS text[]))
        AS v(id, attempt, channel, address, consent_id, template_hash, config_hash, message_id)
), read AS MATERIALIZED (
    SELECT md5(string_agg(name || ' ' || hash, ',' ORDER BY name)) AS segments FROM segment
), begun AS (
    UPDATE send s SET state = 'sending', attempts = v.attempt, channel = v.channel, address = v.address,
        consent_id = v.consent_id, template_hash = v.template_hash, config_hash = v.config_hash,
        segments_hash = read.segments, message_id = v.message_id, intent_at = :now, held = NULL,
        lease_until = clock_timestamp() + CAST(:lease AS interval)
    FROM v, read WHERE s.id = v.id AND s.state = 'planned' AND s.fence = :fence
    RETURNING s.id
), tried AS (
    INSERT INTO attempt (send_id, number, channel, worker_id, fence, intent_at)
    SELECT v.id, v.attempt, v.channel, :worker, :fence, :now FROM v JOIN begun USING (id)
)
SELECT id FROM begun
""")


def intend(conn: Connection, intents: Sequence[Intent], worker: int, fence: int, now: datetime) -> set[int]:
    """Commit to sending: rows become `sending` under a fresh lease, each with its attempt. Gives the sends that did: one
    whose lease has lapsed and that somebody else has claimed since `lock` is not ours to send.
    """
    if not intents:
        return set()
    rows = conn.scalars(
        _INTEND,
        {
            "ids": [i.send_id for i in intents],
            "attempts": [i.attempt for i in intents],
            "channels": [i.channel for i in intents],
            "addresses": [i.address for i in intents],
            "consents": [i.consent_id for i in intents],
            "hashes": [i.template_hash for i in intents],
            "configs": [i.config_hash for i in intents],
            "messages": [i.message_id for i in intents],
            "worker": worker,
            "fence": fence,
            "now": now,
            "lease": LEASE,
        },
    )
    return set(rows)


# A lease that has lapsed is not taken up again: by now the send may be another worker's, or `unknown`.
_KEEP = text("""
UPDATE send SET lease_until = clock_timestamp() + CAST(:lease AS interval)
WHERE id = ANY(CAST(:ids AS bigint[])) AND fence = :fence AND state = 'sending' AND lease_until > clock_timestamp()
""")


def keep(conn: Connection, ids: Sequence[int], fence: int) -> bool:
    """Renew the lease of sends whose intent is committed and whose turn is still to come; False when one of them is not
    ours any more.
    """
    return not ids or conn.execute(_KEEP, {"ids": list(ids), "fence": fence, "lease": LEASE}).rowcount == len(ids)


@dataclass(frozen=True)
class Postponed:
    """A send that goes back into the outbox until an instant; `reason`: the rule that holds it, if one does."""

    send_id: int
    until: datetime
    reason: str | None = None


_POSTPONE = text("""
UPDATE send s SET next_at = v.until, held = v.reason, lease_until = NULL, worker_id = NULL
FROM unnest(CAST(:ids AS bigint[]), CAST(:untils AS timestamptz[]), CAST(:reasons AS text[])) AS v(id, until, reason)
WHERE s.id = v.id AND s.fence = :fence AND s.state = 'planned'
""")


def postpone(conn: Connection, held: Sequence[Postponed], fence: int) -> None:
    """Back into the outbox until the given instants."""
    if held:
        given = {
            "ids": [h.send_id for h in held],
            "untils": [h.until for h in held],
            "reasons": [h.reason for h in held],
        }
        conn.execute(_POSTPONE, {**given, "fence": fence})


_MOVED = text("""
UPDATE send SET next_at = :now
WHERE contact_id = ANY(CAST(:contacts AS bigint[])) AND state = 'planned' AND held = 'quiet_hours' AND next_at > :now
""")


def wake(conn: Connection, contacts: Collection[int], now: datetime) -> None:
    """People live in another zone now: what quiet hours hold by the old clock is asked about again. Their rows are locked."""
    if contacts:
        conn.execute(_MOVED, {"contacts": sorted(contacts), "now": now})


@dataclass(frozen=True)
class Ending:
    """What a send is from now on. `planned` with `next_at`: to be tried again. `refused`: the channel that refused it."""

    send_id: int
    state: str
    reason: str | None = None
    provider_id: str | None = None
    next_at: datetime | None = None
    refused: str | None = None
    outcome: str | None = None
    detail: str | None = None

    @property
    def final(self) -> bool:
        """True when the enrollment may go on."""
        return self.state not in ("planned", "sending")


# A receipt is recorded as long as nobody has begun a later attempt (the fence is still ours), even when our lease has
# lapsed and a sweep has called the send `unknown` meanwhile: what the provider said is the truth. One statement
# closes the attempts, ends the sends and signals their enrollments, each once: an `unknown` that the provider can be
# asked about (`reconciling`) tells nobody until it is settled.
_END = text("""
WITH v AS (
    SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:reasons AS text[]), CAST(:providers AS text[]),
        CAST(:nexts AS timestamptz[]), CAST(:refused AS text[]), CAST(:outcomes AS text[]), CAST(:details AS text[]))
        AS v(id, state, reason, provider_id, next_at, refused, outcome, detail)
), closed AS (
    UPDATE attempt a SET ended_at = :now, outcome = v.outcome, detail = v.detail FROM v
    WHERE a.send_id = v.id AND a.fence = :fence AND a.ended_at IS NULL AND v.outcome IS NOT NULL
), before AS MATERIALIZED (
    SELECT s.id, s.state, s.reason FROM send s JOIN v ON v.id = s.id WHERE s.fence = :fence FOR UPDATE OF s
), ended AS (
    UPDATE send s SET state = v.state, reason = v.reason, detail = v.detail, provider_id = coalesce(v.provider_id, s.provider_id),
        next_at = coalesce(v.next_at, s.next_at), lease_until = NULL, held = NULL,
        refused = CASE WHEN v.refused IS NULL THEN s.refused ELSE array_append(s.refused, v.refused) END,
        ended_at = CASE WHEN v.state = 'planned' THEN NULL ELSE CAST(:now AS timestamptz) END
    FROM v JOIN before b ON b.id = v.id
    WHERE s.id = v.id AND b.state IN ('planned', 'sending', 'unknown')
    RETURNING s.id, s.contact_id, s.enrollment_id, s.journey, s.step, s.visit, s.state, s.reason, s.channel, b.state AS was, b.reason AS was_reason
), told AS (
    INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, visit, data)
    SELECT contact_id, enrollment_id, journey, 'send', :now, visit,
        jsonb_strip_nulls(jsonb_build_object('send_id', id, 'step', step, 'state', state, 'reason', reason, 'channel', channel))
    FROM ended
    WHERE state <> 'planned' AND NOT (state = 'unknown' AND reason = 'reconciling')
      AND NOT (was = 'unknown' AND was_reason <> 'reconciling')
)
SELECT count(*) FROM ended
""")


def end(conn: Connection, endings: Sequence[Ending], fence: int, now: datetime) -> int:
    """Record what became of sends under our fence and signal their enrollments; gives how many rows took it."""
    if not endings:
        return 0
    return int(
        conn.scalar(
            _END,
            {
                "ids": [e.send_id for e in endings],
                "states": [e.state for e in endings],
                "reasons": [e.reason for e in endings],
                "providers": [_storable(e.provider_id) for e in endings],
                "nexts": [e.next_at for e in endings],
                "refused": [e.refused for e in endings],
                "outcomes": [e.outcome for e in endings],
                "details": [_storable(e.detail) for e in endings],
                "fence": fence,
                "now": now,
            },
        )
        or 0
    )


def _storable(words: str | None) -> str | None:
    """What a provider said, as PostgreSQL takes it: an odd byte in one answer must not cost the group its receipts."""
    return None if words is None else words.encode("utf-8", "replace").decode().replace("\0", "")
