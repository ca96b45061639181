"""PostgreSQL's side: one transaction holds the fence, the judgement, the effects, the cursors and the offsets."""
import pathlib
import uuid

import psycopg
from psycopg.rows import dict_row

import batch
from batch import Outcome
from message import Record

# SQLSTATE classes that are the message's fault: no data of this form, a constraint, too large. All others are the world's.
POISON = ("22", "23", "54")

TAKE = """
INSERT INTO offsets (topic, partition, owner)
SELECT topic, partition, %s FROM unnest(%s::text[], %s::int[]) AS p(topic, partition) ORDER BY 1, 2
ON CONFLICT (topic, partition) DO UPDATE
    SET generation = offsets.generation + 1, owner = excluded.owner, taken_at = now()
RETURNING topic, partition, generation, next_offset
"""
HOLD = """
SELECT topic, partition FROM offsets
JOIN unnest(%s::text[], %s::int[], %s::bigint[]) AS p(topic, partition, mine) USING (topic, partition)
WHERE generation <= mine AND owner = %s
ORDER BY topic, partition FOR UPDATE OF offsets
"""
MOVE_OFFSETS = """
UPDATE offsets SET next_offset = p.next FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[])
    AS p(topic, partition, next, mine)
WHERE offsets.topic = p.topic AND offsets.partition = p.partition AND generation <= mine AND owner = %s
"""


class Store:
    """One connection, used by one thread. Any error leaves what was committed, and nothing else."""

    def __init__(self, conninfo: str, compacted: frozenset[str] = frozenset()):
        self.compacted = compacted
        self.owner = uuid.uuid4()  # also tells apart two that were given one number, after a fail-over that lost a claim
        self.generations: dict[tuple[str, int], int] = {}
        self.connection = psycopg.connect(
            conninfo, autocommit=True, connect_timeout=10, keepalives_idle=10, keepalives_interval=5, keepalives_count=3,
            tcp_user_timeout=30000, application_name="lanewatch-consumer", row_factory=dict_row)
        # A consumer that hangs inside a transaction holds its rows. PostgreSQL ends it, so that another can take over.
        for setting, value in [("search_path", "lanewatch"), ("idle_in_transaction_session_timeout", "10s"),
                               ("lock_timeout", "30s"), ("statement_timeout", "60s")]:
            self.connection.execute("SELECT set_config(%s, %s, false)", [setting, value])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def create(self):
        self.connection.execute((pathlib.Path(__file__).parent / "schema.sql").read_text())

    def take(self, places: list[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
        """Takes partitions over from whoever had them; where to go on, None where nothing was ever written.

        From here on the former owner writes nothing more, alive or not. That is all the fence promises: not who ought to have a
        partition (the group decides that), but that never two write it.
        """
        if not places:
            return {}
        rows = self.connection.execute(TAKE, [self.owner, *_columns(places)]).fetchall()
        self.generations |= {(row["topic"], row["partition"]): row["generation"] for row in rows}
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    def leave(self, places: list[tuple[str, int]]):
        for place in places:
            self.generations.pop(place, None)

    def write(self, records: list[Record]) -> Outcome:
        """Writes a batch, all of it or nothing. Where PostgreSQL refuses what a message holds, the batch is written one by one, and
        the message goes to `rejected`."""
        try:
            return self._write(records)
        except psycopg.Error as error:
            if (error.sqlstate or "")[:2] not in POISON:
                raise
            if len(records) == 1:
                return self._write(records, refused=f"PostgreSQL refuses it: {type(error).__name__} {error.sqlstate}")
        outcome = Outcome()
        for record in records:
            if record.place not in outcome.fenced and not outcome.alarms:
                outcome.add(self.write([record]))
        return outcome

    def _write(self, records: list[Record], refused: str | None = None) -> Outcome:
        outcome = Outcome()
        with self.connection.transaction(), self.connection.cursor() as cursor:
            self._fence(cursor, {record.place for record in records}, outcome)
            batch.write(cursor, [record for record in records if record.place not in outcome.fenced], outcome,
                        self.compacted, refused)
            self._move(cursor, outcome)
        outcome.counts["read"] = len(records)
        outcome.counts["fenced"] = sum(record.place in outcome.fenced for record in records)
        return outcome

    def _fence(self, cursor, places: set[tuple[str, int]], outcome: Outcome):
        """Locks the rows of the partitions that are still ours, until the commit: nobody takes them over meanwhile."""
        mine = sorted(place for place in places if place in self.generations)
        generations = [self.generations[place] for place in mine]
        rows = cursor.execute(HOLD, [*_columns(mine), generations, self.owner]).fetchall()
        outcome.fenced = places - {(row["topic"], row["partition"]) for row in rows}

    def _move(self, cursor, outcome: Outcome):
        places = sorted(outcome.next)
        offsets = [outcome.next[place] for place in places]
        generations = [self.generations[place] for place in places]
        cursor.execute(MOVE_OFFSETS, [*_columns(places), offsets, generations, self.owner])
        assert cursor.rowcount == len(places), "a row that is locked was taken away"


def _columns(places: list[tuple[str, int]]) -> list[list]:
    """Pairs as the arrays that unnest takes."""
    return [[topic for topic, _ in places], [partition for _, partition in places]]
