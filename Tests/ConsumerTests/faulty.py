"""examples/consumer with a fault built in, for tests alone: FAULT names one or more, with commas.

    stop-before-write=N    SIGSTOP to itself before the transaction of the Nth batch, messages in hand
    stop-inside=N          the same inside it, with the rows locked
    stop-before-take       the same when it is given partitions, before it takes them
    without-fence          writes whoever owns the partition
    without-dedupe         no unique key (the test drops it), no cursor: each record has its effect
    offsets-before=N       Kafka's offsets alone, committed before the effect; kill -9 of itself between, at the Nth batch
    offsets-after=N        the same, committed after the effect
"""
import os
import signal
import sys

import batch
import consume
import effects
import store
from confluent_kafka import OFFSET_STORED, TopicPartition
from message import Verdict
from stream import Stream

FAULTS = dict((word.partition("=")[0], int(word.partition("=")[2] or 0)) for word in os.environ["FAULT"].split(","))
writes = 0


def strike(number: int):
    os.kill(os.getpid(), number)


class FaultyStore(store.Store):
    def take(self, places):
        if places and FAULTS.pop("stop-before-take", None) is not None:
            strike(signal.SIGSTOP)
        return super().take(places)

    def write(self, records):
        global writes
        writes += 1
        if FAULTS.get("stop-before-write") == writes:
            strike(signal.SIGSTOP)
        return super().write(records)


class KafkasOffsets(Stream):
    """As many a consumer does it: where to go on is asked of Kafka."""

    def _assigned(self, consumer, partitions):
        self.store.take([(p.topic, p.partition) for p in partitions])
        consumer.assign([TopicPartition(p.topic, p.partition, OFFSET_STORED) for p in partitions])
        self.was_assigned = True

    def write(self):
        for fault, first, then in [("offsets-before", self._commit, super().write), ("offsets-after", super().write, self._commit)]:
            if fault in FAULTS:
                ends = {(r.topic, r.partition): r.offset + 1 for r in self.gathered}
                self.ends = [TopicPartition(*place, next) for place, next in ends.items()]
                first()
                if FAULTS[fault] == writes + (fault == "offsets-before"):
                    strike(signal.SIGKILL)
                then()

    def _commit(self):
        self.consumer.commit(offsets=self.ends, asynchronous=False)

    def tell_kafka(self, now=False):
        pass


if "stop-inside" in FAULTS:
    def apply(cursor, messages, original=effects.apply):
        if FAULTS["stop-inside"] == writes:
            strike(signal.SIGSTOP)
        original(cursor, messages)

    effects.apply = apply
if "without-fence" in FAULTS:
    owned = "generation <= mine AND owner = %s"
    assert owned in store.HOLD and owned in store.MOVE_OFFSETS
    store.HOLD = store.HOLD.replace(owned, "(true OR generation <= mine OR owner = %s)")
    store.MOVE_OFFSETS = store.MOVE_OFFSETS.replace(owned, "(true OR generation <= mine OR owner = %s)")
if {"without-dedupe", "offsets-before", "offsets-after"} & FAULTS.keys():
    batch.judge = lambda *_: Verdict.NEXT
    for module, name in [(batch, "KEEP_MESSAGES"), (effects, "TELL")]:
        key = {"KEEP_MESSAGES": "ON CONFLICT (source, topic, sequence) DO NOTHING", "TELL": "ON CONFLICT (source, id) DO NOTHING"}
        assert key[name] in getattr(module, name)
        setattr(module, name, getattr(module, name).replace(key[name], ""))

by_kafka = {"offsets-before", "offsets-after"} & FAULTS.keys()
options = consume._parse(sys.argv[1:])
sys.exit(consume.run(options, FaultyStore, KafkasOffsets if by_kafka else Stream))
