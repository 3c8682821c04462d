"""Every table of the database: names, columns, keys and indexes; no queries.

All instants are `timestamptz`. Rows that only ever grow (events, traces, attempts) carry no mutable state; the hot
tables are `signal` (what is due for whom) and the `planned` part of `send`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    MetaData,
    Numeric,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _instant(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[object]:
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable, primary_key=primary_key)


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(), primary_key=True)


# --- people -----------------------------------------------------------------------------------------------------------

contact = Table(
    "contact",
    metadata,
    _id(),
    Column("user_id", Text),
    Column("email", Text),  # as the person writes it; compare by identity.value, which is folded
    Column("phone", Text),  # E.164
    Column("locale", Text),  # BCP 47 language, e.g. "id", "en"
    Column("timezone", Text),  # a valid IANA name, or null; an invalid one stays in traits and is counted
    Column("traits", JSONB, nullable=False, server_default=text("'{}'::jsonb")),  # tags are the list traits.tags
    _instant("created_at"),
    _instant("updated_at"),
    Column("merged_into", BigInteger, ForeignKey("contact.id")),
    _instant("erased_at", nullable=True),
)

identity = Table(
    "identity",
    metadata,
    Column("kind", Text, primary_key=True),  # user_id | anonymous_id | email | phone
    Column("value", Text, primary_key=True),  # folded: e-mail in lower case, phone as E.164
    Column("contact_id", BigInteger, ForeignKey("contact.id"), nullable=False, index=True),
)

consent = Table(  # append-only proof: the newest row of (contact, topic, channel) holds
    "consent",
    metadata,
    _id(),
    Column("contact_id", BigInteger, ForeignKey("contact.id"), nullable=False),
    Column("topic", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("given", Boolean, nullable=False),
    _instant("at"),
    Column("source", Text, nullable=False),  # the write key's name, 'unsubscribe_link', 'one_click', 'import', ..
    Column("message_id", Text),
    Column("wording", Text),
    Index(None, "contact_id", "topic", "channel", "id"),
)

suppression = Table(
    "suppression",
    metadata,
    _id(),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),  # folded like identity.value
    Column("scope", Text, nullable=False),  # marketing | all
    Column("reason", Text, nullable=False),  # unsubscribe | complaint | hard_bounce | stop | manual
    Column("source", Text, nullable=False),
    _instant("at"),
    UniqueConstraint("channel", "address", "scope"),
)

# --- what happened ----------------------------------------------------------------------------------------------------

seen_message = Table(  # P7: the key of an event outlives its partition
    "seen_message",
    metadata,
    Column("source", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    _instant("received_at"),
)

event = Table(
    "event",
    metadata,
    _id(),
    Column("contact_id", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("type", Text, nullable=False),  # track | page | screen | group
    Column("name", Text, nullable=False),  # folded once at ingest: order_completed
    Column("properties", JSONB, nullable=False),
    Column("extra", JSONB, nullable=False),  # original name, context, unknown fields
    _instant("occurred_at"),
    _instant("received_at"),
    Column("starts", Boolean, nullable=False),  # false: came by import or replay, never starts a journey
    Index(None, "contact_id", "name", "occurred_at"),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    _id(),
    Column("source", Text, nullable=False),
    Column("message_id", Text),
    Column("reason", Text, nullable=False),  # a sentence that names the field
    Column("payload", JSONB, nullable=False),
    _instant("received_at"),
)

# --- what is known of people's worth and of their reading; written by what computes or observes it -----------------------

score = Table(
    "score",
    metadata,
    Column("contact_id", BigInteger, ForeignKey("contact.id"), primary_key=True),
    Column("recency", SmallInteger),  # 1..5, as are the next two
    Column("frequency", SmallInteger),
    Column("monetary", SmallInteger),
    Column("rfm_group", Text),  # champions, loyal, ..
    Column("lifetime", Numeric),  # in the currency of the workspace
    Column("predicted", Numeric),
    Column("alive", Numeric),  # probability, 0..1
    Column("tier", Text),
    Column("nps", SmallInteger),  # the last answer, 0..10
    _instant("at"),
)

observation = Table(  # what became of a message after it was accepted, as providers and links tell it
    "observation",
    metadata,
    _id(),
    Column("send_id", BigInteger, nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # delivered | opened | clicked | bounced | replied
    Column("machine", Boolean, nullable=False, server_default=text("false")),  # a scanner or prefetch, no person
    Column("hard", Boolean, nullable=False, server_default=text("false")),  # of a bounce: for good
    Column("data", JSONB),
    _instant("at"),
    Index(None, "send_id", "kind"),
    Index(None, "contact_id", "at"),
)

# --- definitions ------------------------------------------------------------------------------------------------------

journey_version = Table(
    "journey_version",
    metadata,
    _id(),
    Column("journey", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("source", Text, nullable=False),  # the journey file as it was applied
    _instant("created_at"),
    UniqueConstraint("journey", "hash"),
)

journey = Table(
    "journey",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version_id", BigInteger, ForeignKey("journey_version.id"), nullable=False),
    Column("state", Text, nullable=False),  # live | removed (people under way finish, nobody enters)
    _instant("live_since"),
)

applied = Table(
    "applied",
    metadata,
    _id(),
    _instant("at"),
    Column("by", Text, nullable=False),
    Column("note", Text),
    Column(
        "changes", JSONB, nullable=False
    ),  # per change: what, name, how, hash before and after; what templates were then
)

segment = Table(
    "segment",
    metadata,
    Column("name", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("source", Text, nullable=False, server_default=""),  # the segment file as it was applied
    _instant("filled_at", nullable=True),  # null: new or edited, the next refresh fills it silently
    _instant("refreshed_at", nullable=True),
)

segment_member = Table(
    "segment_member",
    metadata,
    Column("segment", Text, primary_key=True),
    Column("contact_id", BigInteger, primary_key=True),
    _instant("since"),
    Index(None, "contact_id"),
)

membership_change = Table(
    "membership_change",
    metadata,
    _id(),
    Column("contact_id", BigInteger, nullable=False),
    Column("segment", Text, nullable=False),
    Column("entered", Boolean, nullable=False),
    _instant("at"),
    Index(None, "contact_id", "segment", "at"),
)

occurrence = Table(  # the next instant at which a date comes round for a contact: `date`, `dates`
    "occurrence",
    metadata,
    Column("journey", Text, primary_key=True),
    Column("contact_id", BigInteger, primary_key=True),
    Column("date", Date),  # the local date; the enrollment's key. Null: none is coming
    _instant("due_at", nullable=True),
    Column("fired", Date),  # the last local date that has fired, whatever came of it; it never fires again
    Index(None, "due_at"),
    Index(None, "contact_id"),
)

# --- people under way -------------------------------------------------------------------------------------------------

enrollment = Table(
    "enrollment",
    metadata,
    _id(),
    Column("journey", Text, nullable=False),
    Column("version_id", BigInteger, ForeignKey("journey_version.id"), nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),  # active | held_out (control group: runs no step) | ended
    Column("reason", Text),  # of the end
    Column("step", Text),  # the machine's state it stands on; null when ended
    Column("visit", Integer, nullable=False),  # arrivals so far; ties a timer to the arrival that set it
    Column("round", Integer, nullable=False, server_default="1"),
    _instant("entered_at"),  # the trigger's own time
    _instant("enrolled_at"),  # when it was decided
    _instant("arrived_at"),
    _instant("due_at", nullable=True),  # of the timer of this visit
    _instant("ended_at", nullable=True),
    Column("trigger_event_id", BigInteger),
    Column("event", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("matched", JSONB),
    Column("matched_ids", JSONB, nullable=False, server_default=text("'[]'::jsonb")),  # events that a wait_for has had
    Column("loops", JSONB, nullable=False, server_default=text("'{}'::jsonb")),  # repeat step -> {total, round, since}
    Column("variants", JSONB, nullable=False, server_default=text("'{}'::jsonb")),  # experiment -> variant
    _instant("goal_until", nullable=True),  # open goal window; null: none, or reached
    _instant("goal_at", nullable=True),
    Column("goal_event_id", BigInteger),
    Column("goal_value", Numeric),
    Index(
        "uq_enrollment_active",
        "journey",
        "contact_id",
        "key",
        unique=True,
        postgresql_where=text("state = 'active'"),
    ),
    Index(None, "contact_id", "journey", "key"),
    Index("ix_enrollment_standing", "journey", "version_id", "step", postgresql_where=text("state = 'active'")),
)

assignment = Table(  # who got which variant; the first one holds for good
    "assignment",
    metadata,
    Column("journey", Text, primary_key=True),
    Column("experiment", Text, primary_key=True),
    Column("contact_id", BigInteger, primary_key=True),
    Column("variant", Text, nullable=False),
    Column("enrollment_id", BigInteger, nullable=False),
    _instant("at"),
)

winner = Table(  # an experiment that is decided: newcomers follow it
    "winner",
    metadata,
    Column("journey", Text, primary_key=True),
    Column("experiment", Text, primary_key=True),
    Column("variant", Text, nullable=False),
    Column("numbers", JSONB, nullable=False),  # per variant: people, successes; and the corrected p-values
    _instant("at"),
)

scheduled = Table(  # a firing for all members of segments at once: `schedule`, `at`, and backfill
    "scheduled",
    metadata,
    Column("journey", Text, primary_key=True),
    Column("occurrence", Text, primary_key=True),  # the enrollment's key; `backfill`
    _instant("due_at"),
    _instant("fired_at", nullable=True),  # when the last member was signalled; null: still to come, or on its way
    Column("missed", Boolean, nullable=False, server_default=text("false")),  # over 24 h late: the rest was left out
    Column("cursor", BigInteger, nullable=False, server_default="0"),  # last contact that was signalled
    Column("people", BigInteger, nullable=False, server_default="0"),  # how many were signalled
    Index("ix_scheduled_open", "due_at", postgresql_where=text("fired_at IS NULL")),
)

signal = Table(  # one queue for everything that moves an enrollment; a wait is a row with a future `at`
    "signal",
    metadata,
    _id(),
    Column("contact_id", BigInteger, nullable=False),
    Column("enrollment_id", BigInteger),  # null: concerns every journey of the contact
    Column("journey", Text),  # of the enrollment or occurrence; lets a claim pass over paused journeys
    # event | timer | segment | profile | send | date | call | start | finished | manual | schedule | moved | backfill
    Column("kind", Text, nullable=False),
    _instant("at"),  # due; the order in which signals of a contact are decided
    Column("visit", Integer),  # timers and sends: the arrival they belong to
    Column("event_id", BigInteger),
    Column("data", JSONB),
    Index(None, "at", "id"),
    Index(None, "contact_id", "at"),
    Index(None, "enrollment_id"),
)

trace = Table(
    "trace",
    metadata,
    _id(),
    Column("contact_id", BigInteger, nullable=False),
    Column("enrollment_id", BigInteger),
    Column("journey", Text, nullable=False),
    _instant("at"),
    Column("data", JSONB, nullable=False),  # signal, lines (path, wanted, found, result)
    Column("version_id", BigInteger),
    # For a replay; as text, because no query looks inside and PostgreSQL takes long to make JSONB of it.
    Column("inputs", Text),  # JSON: all that `decide` was given besides the machine, and its clock
    Column("decided", Text),  # digest of where the enrollment stood afterwards, and of the effects
    Index(None, "contact_id", "at"),
    Index(None, "enrollment_id"),
)

# --- sends ------------------------------------------------------------------------------------------------------------

fence = Sequence("fence", metadata=metadata)  # rises with every claim; a write with an older one is refused

send = Table(
    "send",
    metadata,
    _id(),
    Column("enrollment_id", BigInteger, nullable=False),
    Column("step", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("visit", Integer, nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("journey", Text, nullable=False),
    Column("version_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # marketing | transactional
    Column("topic", Text),
    Column("template", Text, nullable=False),
    Column("via", ARRAY(Text), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    _instant("planned_at"),
    _instant("due_at"),
    _instant("expires_at", nullable=True),
    _instant("next_at"),  # not to be tried before
    # planned | sending | accepted | delivered | bounced | complained | withheld | failed | unknown
    Column("state", Text, nullable=False),
    Column("reason", Text),  # one short word
    Column("detail", Text),  # what was said: by the provider, or by the template that could not be rendered
    Column("held", Text),  # why it is still planned, while a rule holds it: quiet_hours, cap, ..; null once it moves
    Column("refused", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # channels that refused it for good
    Column("worker_id", BigInteger),
    Column("fence", BigInteger),
    _instant("lease_until", nullable=True),  # by the database's clock
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("channel", Text),
    Column("address", Text),
    Column("consent_id", BigInteger),
    Column("template_hash", Text),
    Column("config_hash", Text),  # of config.yaml as it was read for this message
    Column("segments_hash", Text),  # of all segments as they were applied then
    Column("message_id", Text),
    Column("provider_id", Text),
    Column("run_id", BigInteger),
    _instant("intent_at", nullable=True),
    _instant("ended_at", nullable=True),
    UniqueConstraint("enrollment_id", "step", "round"),  # the send key
    Index(
        "ix_send_outbox",
        "next_at",
        text("priority DESC"),
        "due_at",
        "journey",
        "contact_id",  # so that who is first under a throttle hangs on nothing else
        postgresql_where=text("state = 'planned'"),
    ),
    Index(  # while some journeys may not send, the others are looked for one by one
        "ix_send_outbox_of_journey",
        "journey",
        "next_at",
        text("priority DESC"),
        "due_at",
        "contact_id",
        postgresql_where=text("state = 'planned'"),
    ),
    Index(
        "ix_send_leased",
        "lease_until",
        postgresql_where=text("state IN ('planned', 'sending') AND lease_until IS NOT NULL"),
    ),
    Index("ix_send_doubtful", "id", postgresql_where=text("state = 'unknown' AND reason = 'reconciling'")),
    Index(None, "contact_id", "intent_at"),
    Index("ix_send_by_journey", "journey", "intent_at", postgresql_where=text("intent_at IS NOT NULL")),
    Index(None, "run_id"),
)

attempt = Table(
    "attempt",
    metadata,
    _id(),
    Column("send_id", BigInteger, nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("worker_id", BigInteger),
    Column("fence", BigInteger, nullable=False),
    _instant("intent_at"),
    _instant("ended_at", nullable=True),
    Column("outcome", Text),  # accepted | rejected | throttled | unreachable | ambiguous; null: on the wire or lost
    Column("detail", Text),
)

call = Table(  # one intended webhook request; repeated under one idempotency key until it has an answer
    "call",
    metadata,
    _id(),
    Column("enrollment_id", BigInteger, nullable=False),
    Column("step", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("visit", Integer, nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("journey", Text, nullable=False),
    Column("version_id", BigInteger, nullable=False),
    _instant("planned_at"),
    _instant("due_at"),
    _instant("next_at"),  # not to be tried before
    Column("state", Text, nullable=False),  # planned | calling | answered | failed | withheld
    Column("reason", Text),
    Column("detail", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("status", Integer),  # of the last answer
    _instant("lease_until", nullable=True),  # by the database's clock
    _instant("ended_at", nullable=True),
    UniqueConstraint("enrollment_id", "step", "round"),
    Index("ix_call_due", "next_at", postgresql_where=text("state IN ('planned', 'calling')")),
    Index(None, "contact_id"),
)

send_run = Table(
    "send_run",
    metadata,
    _id(),
    # running | finished | cancelled | interrupted (its worker went without closing it)
    Column("state", Text, nullable=False),
    Column("worker_id", BigInteger),
    _instant("opened_at"),
    _instant("ended_at", nullable=True),
    Column("flow_run_id", Text),  # Prefect's id, when its window opened
    Column("counts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)

# --- operations -------------------------------------------------------------------------------------------------------

hold = Table(
    "hold",
    metadata,
    _id(),
    Column("scope", Text, nullable=False),  # journey | run | channel
    Column("name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    _instant("at"),
    _instant("lifted_at", nullable=True),
    Index("ix_hold_standing", "scope", "name", postgresql_where=text("lifted_at IS NULL")),
)

bucket = Table(  # of a journey's throttle, over all workers
    "bucket",
    metadata,
    Column("journey", Text, primary_key=True),
    _instant("free_at"),  # from then on there is a token
    Column("spacing", Interval, nullable=False),  # between two tokens
)

pace = Table(  # how many messages a journey begins per hour of the clock; what the brake looks at
    "pace",
    metadata,
    Column("journey", Text, primary_key=True),
    _instant("hour", primary_key=True),
    Column("sends", BigInteger, nullable=False),  # of an hour that is not over: claimed, so never too few
    Column("most", BigInteger),  # that this hour may see; null: not known yet, or no limit
    Column("judged", Boolean, nullable=False, server_default=text("false")),  # whether `most` is known
    Column("counted", Boolean, nullable=False, server_default=text("false")),  # after its end, from the sends
)

worker = Table(
    "worker",
    metadata,
    _id(),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started", Text, nullable=False),  # tells a reused pid from the same process
    _instant("started_at"),
    _instant("ended_at", nullable=True),
)

tick = Table(  # one row per heartbeat duty; its row lock keeps five schedulers from doing it five times
    "tick",
    metadata,
    Column("name", Text, primary_key=True),
    _instant("at"),
)
