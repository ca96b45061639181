"""Kafka's side: joins the group, begins each partition where PostgreSQL says, gathers batches and hands them to the store."""
import time
from collections import Counter

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from batch import Alarm
from message import Record
from store import Store
from words import say

# Not to be changed by -X: with one of these otherwise, messages would be lost or done twice.
FIXED = {
    "enable.auto.commit": False,  # the offsets that count are PostgreSQL's
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # An offset that Kafka no longer has: begin with what there is. Whether something is missing, the sequences tell.
    "auto.offset.reset": "earliest",
}
# May be changed.
USUAL = {
    "session.timeout.ms": 10000,
    "queued.min.messages": 5000,
    "queued.max.messages.kbytes": 16384,  # what is fetched ahead, in all: the consumer's memory
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 2000,
    "partition.assignment.strategy": "roundrobin",
    "client.id": "lanewatch-consumer",
}
COMMIT_EVERY = 5.0  # seconds; for lag tools only


class Stopped(Exception):
    """An alarm: only an operator can say how to go on."""

    def __init__(self, alarms: list[Alarm]):
        super().__init__("; ".join(map(str, alarms)))
        self.alarms = alarms


class Fenced(Exception):
    """Somebody else has taken partitions over: this consumer was away for longer than it knew."""


class Stream:
    """One membership in the group with one connection to PostgreSQL. Any fault ends both: the next one begins with what the
    database says, and that is the only recovery there is."""

    def __init__(self, store: Store, settings: dict, topics: list[str], batch: int, counts: Counter):
        self.store, self.size, self.counts = store, batch, counts
        self.gathered: list[Record] = []
        self.at_end: set[tuple[str, int]] = set()
        self.was_assigned = False
        self.fault: Exception | None = None
        self.heard: dict[str, float] = {}  # by the error's name: when it may be told again
        self.to_commit: dict[tuple[str, int], int] = {}
        self.commit_due = time.monotonic() + COMMIT_EVERY
        settings = USUAL | settings | FIXED | {"error_cb": self._hear, "on_commit": self._committed}
        self.cooperative = "cooperative" in settings["partition.assignment.strategy"]
        self.consumer = Consumer(settings)
        self.consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked)

    def close(self):
        """Leaves the group. What was gathered and not written comes again, to whoever is next."""
        self.counts["forgotten"] += len(self.gathered)
        self.gathered = []
        self.consumer.close()

    # Called by librdkafka inside poll() and close(), on our own thread.

    def _assigned(self, consumer, partitions: list[TopicPartition]):
        places = [(p.topic, p.partition) for p in partitions]
        try:
            stored = self.store.take(places)
        except Exception as error:  # nothing may leave a callback: it is raised again after poll()
            self.fault = error
            partitions = []
            stored = {}
        start = [TopicPartition(*place, OFFSET_BEGINNING if next is None else next) for place, next in stored.items()]
        if self.cooperative:
            consumer.incremental_assign(start)
        else:
            consumer.assign(start)
        self.was_assigned = True
        if stored:
            say("assigned", partitions=_named(stored), generations=[self.store.generations[place] for place in stored])

    def _revoked(self, consumer, partitions: list[TopicPartition]):
        """They are another's now: what was gathered of them is his to do. Nothing is written here any more."""
        places = {(p.topic, p.partition) for p in partitions}
        kept = [record for record in self.gathered if record.place not in places]
        self.counts["forgotten"] += len(self.gathered) - len(kept)
        self.gathered = kept
        self.at_end -= places
        for place in places:
            self.to_commit.pop(place, None)
        self.store.leave(places)
        if self.cooperative:
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()
        if places:
            say("revoked", partitions=_named(places))

    def _hear(self, error: KafkaError):
        """A broker that is away is told of again and again: once in ten seconds is enough."""
        now = time.monotonic()
        if now >= self.heard.get(error.name(), now):
            self.heard[error.name()] = now + 10
            say("kafka", error=error.name(), text=error.str())

    def _committed(self, error, _partitions):
        if error is not None:
            self.counts["kafka_commits_failed"] += 1

    # One turn.

    def turn(self, wait: float):
        """Gathers what is there, at most a batch, and writes it; waits for the first of it."""
        if self._gather(wait):
            self.write()
        self.tell_kafka()

    def _gather(self, wait: float) -> bool:
        while len(self.gathered) < self.size:
            message = self.consumer.poll(0 if self.gathered else wait)
            if self.fault is not None:
                raise self.fault
            if message is None:
                break
            error = message.error()
            if error is None:
                self.at_end.discard((message.topic(), message.partition()))
                self.gathered.append(Record(message.topic(), message.partition(), message.offset(), message.key(),
                                            message.value(), message.headers() or []))
            elif error.code() == KafkaError._PARTITION_EOF:
                self.at_end.add((message.topic(), message.partition()))
                if not self.gathered:
                    break
            elif error.fatal():
                raise KafkaException(error)
            else:
                self._hear(error)  # librdkafka goes on by itself
                break
        return bool(self.gathered)

    def write(self):
        """What was gathered, in one transaction."""
        began = time.monotonic()
        outcome = self.store.write(self.gathered)
        self.gathered = []
        self.counts += outcome.counts
        self.counts["transactions"] += 1
        self.counts["writing_ms"] += round((time.monotonic() - began) * 1000)
        self.to_commit |= outcome.next
        if outcome.alarms:
            self.tell_kafka(now=True)
            raise Stopped(outcome.alarms)
        if outcome.fenced:
            raise Fenced(", ".join(_named(outcome.fenced)))

    def tell_kafka(self, now: bool = False):
        """For lag tools. It decides nothing, so a refusal (a rebalance is under way) is counted and no more."""
        if not self.to_commit or (time.monotonic() < self.commit_due and not now):
            return
        self.commit_due = time.monotonic() + COMMIT_EVERY
        offsets = [TopicPartition(*place, next) for place, next in self.to_commit.items()]
        self.to_commit = {}
        try:
            self.consumer.commit(offsets=offsets, asynchronous=not now)
        except KafkaException:
            self.counts["kafka_commits_failed"] += 1

    @property
    def is_at_end(self) -> bool:
        """Everything that the assigned partitions had is written."""
        return self.was_assigned and not self.gathered and self.at_end >= set(self.store.generations)


def _named(places) -> list[str]:
    return [f"{topic}[{partition}]" for topic, partition in sorted(places)]
