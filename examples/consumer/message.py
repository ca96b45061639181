"""A Kafka record read as a Lanewatch message, and its place in the lane's sequence. Pure: no Kafka, no PostgreSQL.

The form is docs/reference/topics.md: CloudEvents 1.0, Kafka protocol binding, binary mode.
"""
import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

EPOCH = 10**14  # ce_sequence is epoch × 10^14 + seq
DROPPED = "sco.messages.dropped.v1"
STAND_INS = (DROPPED, "sco.message.withheld.v1")  # each stands in the place of a message
SOURCE = re.compile(r"/stores/([^/]+)/lanes/([^/]+)")
KEPT_BYTES = 64 * 1024  # of the value of a rejected record


class Stranger(Exception):
    """The record is none of ours: without a source and a sequence it has no place among a lane's messages."""


@dataclass
class Record:
    """What Kafka gave. `headers` in order; `value` None is a record without value."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def place(self) -> tuple[str, int]:
        return (self.topic, self.partition)

    def rejection(self, reason: str) -> dict:
        """The row of `rejected`."""
        value = self.value or b""
        headers = [[name, text.decode(errors="replace")] for name, text in self.headers]
        return {
            "topic": self.topic, "partition": self.partition, "kafka_offset": self.offset,
            "digest": hashlib.sha256(value).digest(), "reason": reason[:500], "key": self.key,
            "headers": json.dumps(headers).replace("\\u0000", "\\ufffd"),
            "value": None if self.value is None else value[:KEPT_BYTES], "bytes": len(value),
        }


@dataclass
class Message:
    """A record of ours. With `fault` it has its place in the sequence, and is good for nothing else."""

    record: Record
    source: str
    sequence: int
    id: uuid.UUID
    type: str = ""
    subject: str | None = None
    time: str = ""
    data: dict | None = None
    told: int | None = None  # the first sequence of those that this message stands for
    fault: str | None = None
    key: tuple[str, str] = field(init=False)  # what has a sequence: the lane's source and the topic

    def __post_init__(self):
        self.key = (self.source, self.record.topic)

    @classmethod
    def read(cls, record: Record) -> "Message":
        """Raises Stranger where the record has no place in a lane's sequence."""
        headers: dict[str, str] = {}
        for name, value in record.headers:
            if name in headers:
                raise Stranger(f"the header {name[:40]} stands twice")
            try:
                headers[name] = value.decode()
            except (UnicodeDecodeError, AttributeError):
                raise Stranger(f"the header {name[:40]} is no UTF-8 text") from None
        if headers.get("ce_specversion") != "1.0":
            raise Stranger("no CloudEvent 1.0: ce_specversion is missing or another")
        source = headers.get("ce_source", "")
        lane = SOURCE.fullmatch(source)
        if not lane or len(source) > 250 or not source.isprintable():
            raise Stranger("ce_source is not /stores/{store}/lanes/{lane}")
        if record.key != f"{lane[1]}/{lane[2]}".encode():
            raise Stranger("the record's key is not the lane of ce_source")
        if not re.fullmatch(r"[0-9]{20}", headers.get("ce_sequence", ""), re.ASCII):
            raise Stranger("ce_sequence is not 20 digits")
        try:
            identity = uuid.UUID(headers.get("ce_id", ""))
        except ValueError:
            raise Stranger("ce_id is no UUID") from None
        message = cls(record, source, int(headers["ce_sequence"]), identity)
        try:
            message._fill(headers)
        except (ValueError, RecursionError) as error:
            message.fault = str(error) if type(error) is ValueError else f"the value is no JSON: {type(error).__name__}"
        return message

    def _fill(self, headers: dict[str, str]):
        self.type = headers.get("ce_type", "")
        self.subject = headers.get("ce_subject")
        self.time = headers.get("ce_time", "")
        if not self.type.isprintable() or not 0 < len(self.type) <= 200:
            raise ValueError("ce_type is missing or no name")
        if not re.fullmatch(r"[0-9T:.+-]{1,40}Z?", self.time, re.ASCII):
            raise ValueError("ce_time is no time")
        datetime.fromisoformat(self.time)
        if self.record.value is None:
            return  # on a compacted topic: the lane is gone
        text = self.record.value.decode()
        data = json.loads(text, parse_constant=_no_number)
        if not isinstance(data, dict):
            raise ValueError("the value is no JSON object")
        # Half of a surrogate pair and 1e999 are read, and cannot be written.
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
        self.data = data
        if self.type == DROPPED:
            self.told = self._told(data.get("first"))

    def _told(self, first) -> int:
        """The first of the sequences that were dropped, this message's own being the last."""
        number = int(first) if isinstance(first, str) and first.isascii() and first.isdigit() else first
        if type(number) is not int or number < 1:
            raise ValueError("it tells of dropped messages without a first sequence")
        whole = number if number >= EPOCH else self.sequence // EPOCH * EPOCH + number
        if not self.sequence // EPOCH == whole // EPOCH or whole > self.sequence:
            raise ValueError("the first of the dropped sequences lies behind the last")
        return whole


def _no_number(text: str):
    raise ValueError(f"the value holds {text}")


class Verdict(Enum):
    NEXT = "next"  # what had to come
    REPEAT = "repeat"  # it was here before
    GAP = "gap"  # something is missing before it


def expected(last: int | None, sequence: int) -> int:
    """What has to follow `last` where `sequence` is what came: the next one, or the first of a larger epoch."""
    if last is None:
        return sequence
    return last + 1 if sequence // EPOCH == last // EPOCH else sequence // EPOCH * EPOCH + 1


def judge(last: int | None, message: Message, gaps_are_usual: bool = False) -> Verdict:
    """`last` is the cursor, None where the lane was never met. On a compacted topic Kafka itself leaves gaps."""
    if last is not None and message.sequence <= last:
        return Verdict.REPEAT
    wanted = expected(last, message.sequence)
    if message.sequence == wanted or gaps_are_usual:
        return Verdict.NEXT
    if message.told is not None and message.told <= wanted:
        return Verdict.NEXT
    return Verdict.GAP


def shown(sequence: int) -> str:
    """As the header has it, epoch and seq apart for the eye."""
    return f"{sequence // EPOCH}:{sequence % EPOCH}"
