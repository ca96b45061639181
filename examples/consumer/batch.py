"""What a batch of records brings about, inside the transaction that the store has begun and fenced."""
import uuid
from collections import Counter
from dataclasses import dataclass, field

import effects
from message import STAND_INS, Message, Record, Stranger, Verdict, expected, judge, shown

CURSORS = """
SELECT source, topic, last FROM cursors JOIN unnest(%s::text[], %s::text[]) AS c(source, topic) USING (source, topic)
ORDER BY source, topic FOR UPDATE OF cursors
"""
KEEP_MESSAGES = """
INSERT INTO messages (source, topic, sequence, id, type, partition, kafka_offset)
SELECT * FROM unnest(%s::text[], %s::text[], %s::numeric[], %s::uuid[], %s::text[], %s::int[], %s::bigint[])
ON CONFLICT (source, topic, sequence) DO NOTHING
RETURNING source, topic, sequence
"""
MOVE_CURSORS = """
INSERT INTO cursors (source, topic, first, last)
SELECT * FROM unnest(%s::text[], %s::text[], %s::numeric[], %s::numeric[]) AS c(source, topic, first, last) ORDER BY 1, 2
ON CONFLICT (source, topic) DO UPDATE SET last = excluded.last WHERE cursors.last < excluded.last
"""
KNOWN = """
SELECT source, topic, sequence, id FROM messages
JOIN unnest(%s::text[], %s::text[], %s::numeric[]) AS m(source, topic, sequence) USING (source, topic, sequence)
"""
REJECT = """
INSERT INTO rejected (topic, partition, kafka_offset, digest, reason, key, headers, value, bytes)
VALUES (%(topic)s, %(partition)s, %(kafka_offset)s, %(digest)s, %(reason)s, %(key)s, %(headers)s, %(value)s, %(bytes)s)
ON CONFLICT DO NOTHING
"""
RAISE = """
INSERT INTO alarms (kind, source, topic, expected, found, id, partition, kafka_offset)
VALUES (%(kind)s, %(source)s, %(topic)s, %(expected)s, %(found)s, %(id)s, %(partition)s, %(kafka_offset)s)
ON CONFLICT (source, topic, kind, expected, found, id) DO UPDATE SET noticed_at = now()
RETURNING alarm, accepted_at
"""


@dataclass
class Alarm:
    """Why a partition goes no further."""

    kind: str  # gap, conflict
    number: int  # of the row in alarms
    source: str
    topic: str
    expected: int
    found: int

    def __str__(self):
        if self.kind == "gap":
            return f"{self.source} on {self.topic}: {shown(self.expected)} should come, {shown(self.found)} came"
        return f"{self.source} on {self.topic}: {shown(self.found)} came again as another message"


@dataclass
class Outcome:
    """What became of a batch."""

    counts: Counter = field(default_factory=Counter)
    fenced: set[tuple[str, int]] = field(default_factory=set)
    alarms: list[Alarm] = field(default_factory=list)
    next: dict[tuple[str, int], int] = field(default_factory=dict)  # offsets, to be told to Kafka

    def add(self, other: "Outcome"):
        self.counts += other.counts
        self.fenced |= other.fenced
        self.alarms += other.alarms
        self.next |= other.next


Key = tuple[str, str]  # source, topic


def write(cursor, records: list[Record], outcome: Outcome, compacted: frozenset[str], refused: str | None):
    """Judges `records` in order and writes what is new among them.

    A partition stops at its first alarm: what was before it is written, it and what follows is not, and its offset stays there.
    `refused` is why PostgreSQL does not take the only record: its place in the sequence counts, its content does not.
    """
    judgement = _Judgement(cursor, outcome, compacted)
    read = [(record, _read(record, refused)) for record in records]
    judgement.remember([message for _, message in read if isinstance(message, Message)])
    for record, message in read:
        judgement.take(record, message)
    judgement.write()


def _read(record: Record, refused: str | None) -> Message | str:
    """The message, or why it is none."""
    try:
        message = Message.read(record)
    except Stranger as why:
        return str(why)
    message.fault = message.fault or refused
    return message


class _Judgement:
    def __init__(self, cursor, outcome: Outcome, compacted: frozenset[str]):
        self.cursor, self.outcome, self.compacted = cursor, outcome, compacted
        self.last: dict[Key, int] = {}  # as it will be after this batch
        self.first: dict[Key, int] = {}  # of those that this batch writes
        self.known: dict[tuple[Key, int], uuid.UUID] = {}
        self.fresh: list[Message] = []
        self.rejected: list[dict] = []
        self.stopped: set[tuple[str, int]] = set()

    def remember(self, messages: list[Message]):
        """The lanes' cursors, locked, and the ids of what seems to have been here before."""
        keys = sorted({message.key for message in messages})
        rows = self.cursor.execute(CURSORS, _columns(keys)).fetchall()
        self.last = {(row["source"], row["topic"]): int(row["last"]) for row in rows}
        old = [m for m in messages if m.sequence <= self.last.get(m.key, -1)]
        if old:
            sought = [*_columns([m.key for m in old]), [str(m.sequence) for m in old]]
            for row in self.cursor.execute(KNOWN, sought):
                self.known[(row["source"], row["topic"]), int(row["sequence"])] = row["id"]

    def take(self, record: Record, message: Message | str):
        counts = self.outcome.counts
        if record.place in self.stopped:
            counts["held"] += 1
            return
        if isinstance(message, str):
            counts["rejected"] += 1
            self.rejected.append(record.rejection(message))
        elif not self._take(message):
            counts["held"] += 1
            self.stopped.add(record.place)
            return
        self.outcome.next[record.place] = record.offset + 1

    def _take(self, message: Message) -> bool:
        """False where an alarm stops the partition."""
        key, counts = message.key, self.outcome.counts
        last = self.last.get(key)
        verdict = judge(last, message, message.record.topic in self.compacted)
        if verdict is Verdict.REPEAT:
            known = self.known.get((key, message.sequence), message.id)
            # A lane that never heard of a message's arrival may drop or withhold it afterwards, and says so in its place.
            if known == message.id or message.type in STAND_INS:
                counts["repeated"] += 1
                return True
            if not self._accepted("conflict", message, message.sequence):
                return False
            counts["rejected"] += 1
            self.rejected.append(message.record.rejection("its sequence belongs to another message; accepted"))
            return True
        if verdict is Verdict.GAP and not self._accepted("gap", message, expected(last, message.sequence)):
            return False
        self.first.setdefault(key, message.sequence)
        self.last[key] = message.sequence
        self.known[key, message.sequence] = message.id
        self.fresh.append(message)
        return True

    def _accepted(self, kind: str, message: Message, wanted: int) -> bool:
        """Raises an alarm, unless an operator has answered the same one."""
        record = message.record
        row = self.cursor.execute(RAISE, {
            "kind": kind, "source": message.source, "topic": record.topic, "expected": wanted, "found": message.sequence,
            "id": message.id, "partition": record.partition, "kafka_offset": record.offset,
        }).fetchone()
        if row["accepted_at"] is not None:
            return True
        self.outcome.alarms.append(
            Alarm(kind, row["alarm"], message.source, record.topic, wanted, message.sequence))
        return False

    def write(self):
        counts = self.outcome.counts
        if self.fresh:
            written = self._keep()
            new = [m for m in self.fresh if (m.key, m.sequence) in written]
            good = [m for m in new if m.fault is None]
            effects.apply(self.cursor, good)
            self.rejected += [m.record.rejection(m.fault) for m in new if m.fault is not None]
            counts["written"] += len(good)
            counts["rejected"] += len(new) - len(good)
            counts["repeated"] += len(self.fresh) - len(new)
            keys = sorted(self.first)
            self.cursor.execute(MOVE_CURSORS, [
                *_columns(keys), [str(self.first[key]) for key in keys], [str(self.last[key]) for key in keys]])
        for row in self.rejected:
            self.cursor.execute(REJECT, row)

    def _keep(self) -> set[tuple[Key, int]]:
        """Those of the fresh that were never here: the unique key has the last word."""
        fresh = sorted(self.fresh, key=lambda m: (m.key, m.sequence))
        rows = self.cursor.execute(KEEP_MESSAGES, [
            *_columns([m.key for m in fresh]), [str(m.sequence) for m in fresh], [m.id for m in fresh],
            [m.type for m in fresh], [m.record.partition for m in fresh], [m.record.offset for m in fresh]])
        return {((row["source"], row["topic"]), int(row["sequence"])) for row in rows}


def _columns(pairs: list[tuple]) -> list[list]:
    """Pairs as the arrays that unnest takes."""
    return [[first for first, _ in pairs], [second for _, second in pairs]]
