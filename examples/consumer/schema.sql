-- What the consumer needs, in a schema of its own. May be run again at any time: it makes what is not there.
-- A transaction of its own, under a lock: two consumers that start at once do not trip over each other.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('lanewatch consumer schema'));

CREATE SCHEMA IF NOT EXISTS lanewatch;
SET LOCAL search_path TO lanewatch;

-- How far each partition is read, and who may say so. `next_offset` is written in the same transaction as what the messages
-- brought about, so that both are there or neither is. `generation` and `owner` are the fence: whoever takes a partition over
-- raises the one and puts its name into the other, and who does not find both as it left them may not write.
CREATE TABLE IF NOT EXISTS offsets (
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    next_offset bigint,                         -- null: taken, nothing written yet
    generation  bigint      NOT NULL DEFAULT 1,
    owner       uuid        NOT NULL,
    taken_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);

-- The last sequence of each lane on each topic: what comes next is known, so a hole and a repeat are seen at once.
-- `sequence` is epoch × 10^14 + seq, as in the header ce_sequence.
CREATE TABLE IF NOT EXISTS cursors (
    source     text          NOT NULL,
    topic      text          NOT NULL,
    first      numeric(20)   NOT NULL,          -- where this consumer met the lane: what was before, it has not seen
    last       numeric(20)   NOT NULL,
    PRIMARY KEY (source, topic)
);

-- Each message once. Rows below the cursor may be pruned: see README.md.
CREATE TABLE IF NOT EXISTS messages (
    source       text        NOT NULL,
    topic        text        NOT NULL,
    sequence     numeric(20) NOT NULL,
    id           uuid        NOT NULL,
    type         text        NOT NULL,
    partition    integer     NOT NULL,
    kafka_offset bigint      NOT NULL,
    written_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, topic, sequence)
);
CREATE INDEX IF NOT EXISTS messages_by_age ON messages (written_at);

-- The effects. From here on it is the application's own; see effects.py.
-- An intervention as it is now: one row each, only ever replaced by a higher revision.
CREATE TABLE IF NOT EXISTS interventions (
    intervention uuid        PRIMARY KEY,
    source       text        NOT NULL,
    rule         text        NOT NULL,
    category     text        NOT NULL,
    severity     text        NOT NULL,
    title        text        NOT NULL,
    is_open      boolean     NOT NULL,
    is_shadow    boolean     NOT NULL,
    revision     bigint      NOT NULL,
    raised_at    timestamptz NOT NULL,
    cleared_at   timestamptz,
    reason       text,
    data         jsonb       NOT NULL           -- the whole of it, as the lane told it last
);
CREATE INDEX IF NOT EXISTS interventions_open ON interventions (source, raised_at) WHERE is_open;

-- Each thing that was told about an intervention, once, whichever topics it came on.
CREATE TABLE IF NOT EXISTS intervention_history (
    source       text        NOT NULL,
    id           uuid        NOT NULL,          -- ce_id: the same on every topic, retry and replay
    intervention uuid        NOT NULL,
    revision     bigint      NOT NULL,
    state        text        NOT NULL,
    time         timestamptz NOT NULL,
    data         jsonb       NOT NULL,
    written_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, id)
);
CREATE INDEX IF NOT EXISTS intervention_history_of_one ON intervention_history (intervention, revision);

-- How often each rule called on each lane: an effect that a repeated message would spoil, and no revision could save.
CREATE TABLE IF NOT EXISTS calls (
    source  text   NOT NULL,
    rule    text   NOT NULL,
    raised  bigint NOT NULL,
    updated bigint NOT NULL,
    cleared bigint NOT NULL,
    PRIMARY KEY (source, rule)
);

-- Messages of the other types, as they came.
CREATE TABLE IF NOT EXISTS events (
    source     text        NOT NULL,
    id         uuid        NOT NULL,
    topic      text        NOT NULL,
    type       text        NOT NULL,
    subject    text,
    time       timestamptz NOT NULL,
    data       jsonb,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, id, topic)
);

-- What could not be taken: not ours, or damaged. Kept with the reason, out of the way.
CREATE TABLE IF NOT EXISTS rejected (
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    kafka_offset bigint      NOT NULL,
    digest       bytea       NOT NULL,          -- SHA-256 of the value: a topic made anew has the same offsets again
    reason       text        NOT NULL,
    key          bytea,
    headers      jsonb       NOT NULL,
    value        bytea,                         -- cut at 64 KiB
    bytes        bigint      NOT NULL,
    rejected_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, kafka_offset, digest)
);

-- What stopped the consumer, until an operator says how to go on: a hole in a lane's sequence, or a sequence that came again
-- with another message.
CREATE TABLE IF NOT EXISTS alarms (
    alarm        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('gap', 'conflict')),
    source       text        NOT NULL,
    topic        text        NOT NULL,
    expected     numeric(20) NOT NULL,
    found        numeric(20) NOT NULL,
    id           uuid        NOT NULL,
    partition    integer     NOT NULL,
    kafka_offset bigint      NOT NULL,
    noticed_at   timestamptz NOT NULL DEFAULT now(),
    accepted_at  timestamptz,
    why          text,
    UNIQUE (source, topic, kind, expected, found, id)
);
COMMIT;
