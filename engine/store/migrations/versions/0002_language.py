"""language."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assignment",
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("journey", "experiment", "contact_id", name=op.f("pk_assignment")),
    )
    op.create_table(
        "bucket",
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("free_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("spacing", sa.Interval(), nullable=False),
        sa.PrimaryKeyConstraint("journey", name=op.f("pk_bucket")),
    )
    op.create_table(
        "call",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("visit", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("planned_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("lease_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
        sa.UniqueConstraint("enrollment_id", "step", "round", name=op.f("uq_call_enrollment_id_step_round")),
    )
    op.create_index(op.f("ix_call_contact_id"), "call", ["contact_id"], unique=False)
    op.create_index(
        "ix_call_due", "call", ["next_at"], unique=False, postgresql_where=sa.text("state IN ('planned', 'calling')")
    )
    op.create_table(
        "observation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("send_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("machine", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("hard", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
    )
    op.create_index(op.f("ix_observation_contact_id_at"), "observation", ["contact_id", "at"], unique=False)
    op.create_index(op.f("ix_observation_send_id_kind"), "observation", ["send_id", "kind"], unique=False)
    op.create_table(
        "pace",
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("hour", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sends", sa.BigInteger(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=True),
        sa.Column("judged", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("counted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("journey", "hour", name=op.f("pk_pace")),
    )
    op.create_table(
        "scheduled",
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("fired_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("missed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cursor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("people", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("journey", "occurrence", name=op.f("pk_scheduled")),
    )
    op.create_index(
        "ix_scheduled_open", "scheduled", ["due_at"], unique=False, postgresql_where=sa.text("fired_at IS NULL")
    )
    op.create_table(
        "winner",
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("numbers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("journey", "experiment", name=op.f("pk_winner")),
    )
    op.create_table(
        "score",
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("recency", sa.SmallInteger(), nullable=True),
        sa.Column("frequency", sa.SmallInteger(), nullable=True),
        sa.Column("monetary", sa.SmallInteger(), nullable=True),
        sa.Column("rfm_group", sa.Text(), nullable=True),
        sa.Column("lifetime", sa.Numeric(), nullable=True),
        sa.Column("predicted", sa.Numeric(), nullable=True),
        sa.Column("alive", sa.Numeric(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("nps", sa.SmallInteger(), nullable=True),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_score_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_score")),
    )
    op.add_column(
        "enrollment",
        sa.Column(
            "matched_ids",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "enrollment",
        sa.Column(
            "loops", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column(
        "enrollment",
        sa.Column(
            "variants", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column("occurrence", sa.Column("fired", sa.Date(), nullable=True))
    op.alter_column("occurrence", "date", existing_type=sa.DATE(), nullable=True)
    op.alter_column("occurrence", "due_at", existing_type=postgresql.TIMESTAMP(timezone=True), nullable=True)
    op.add_column("send", sa.Column("held", sa.Text(), nullable=True))
    op.add_column("send", sa.Column("config_hash", sa.Text(), nullable=True))
    op.add_column("send", sa.Column("segments_hash", sa.Text(), nullable=True))
    op.drop_index(op.f("ix_send_outbox"), table_name="send", postgresql_where="(state = 'planned'::text)")
    op.create_index(
        "ix_send_outbox",
        "send",
        ["next_at", sa.literal_column("priority DESC"), "due_at", "journey", "contact_id"],
        unique=False,
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "ix_send_by_journey",
        "send",
        ["journey", "intent_at"],
        unique=False,
        postgresql_where=sa.text("intent_at IS NOT NULL"),
    )
    op.create_index(
        "ix_send_outbox_of_journey",
        "send",
        ["journey", "next_at", sa.literal_column("priority DESC"), "due_at", "contact_id"],
        unique=False,
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.add_column("trace", sa.Column("version_id", sa.BigInteger(), nullable=True))
    op.add_column("trace", sa.Column("inputs", sa.Text(), nullable=True))
    op.add_column("trace", sa.Column("decided", sa.Text(), nullable=True))
