"""Messages as lanes publish them, from a description a line on standard input; prints how many the brokers have.

    {"lane": 1, "from": 1, "to": 100}                     sequences 1 to 100 of lane 1, in the epoch 60000
    … "epoch": 60001                                      of another epoch
    … "id": "other"                                       with other ids: another database under the same epoch
    … "type": "sco.messages.dropped.v1", "data": {…}      of another type, with this data
    … "value": "text", "headers": {"ce_id": null}, "key": "x"   damaged: another value or key, headers replaced or left out
    … "topic": "sco.audit", "pause": 20                   milliseconds between one message and the next

Each intervention has three messages: raised, updated, cleared. Keys are hashed as Java's clients do.
"""
import hashlib
import json
import sys
import time
import uuid

from confluent_kafka import KafkaException, Producer


class Writer:
    """An idempotent producer that is made anew after a fatal error, which a dying broker may be, and gets all that no broker has told
    of yet, in its order. What comes twice by that has its sequence and its id."""

    def __init__(self, settings: dict):
        self.settings = settings | {"error_cb": self.hear}
        self.waiting, self.is_fatal = [], False
        self.producer = Producer(self.settings)

    def hear(self, error):
        self.is_fatal = self.is_fatal or error.fatal()

    def send(self, **message):
        entry = {"message": message, "error": "not told of"}
        self.waiting.append(entry)
        self.hand(entry)

    def hand(self, entry: dict):
        def told(error, _):
            entry["error"] = error.str() if error else None
        while not self.is_fatal:
            try:
                return self.producer.produce(on_delivery=told, **entry["message"])
            except BufferError:
                self.producer.poll(0.1)
            except KafkaException as fault:
                self.hear(fault.args[0])
                if not self.is_fatal:
                    raise
        self.renew()

    def renew(self):
        self.waiting = [entry for entry in self.waiting if entry["error"] is not None]
        self.is_fatal = False
        self.producer = Producer(self.settings)
        for entry in list(self.waiting):
            self.hand(entry)

    def poll(self, seconds: float):
        self.producer.poll(seconds)

    def finish(self, seconds: float) -> list:
        """Waits until all is told of; why some was not."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.producer.flush(max(0.1, end - time.monotonic()))
            except KafkaException as fault:
                self.hear(fault.args[0])
                if not self.is_fatal:
                    raise
            if not self.is_fatal:
                return [entry["error"] for entry in self.waiting if entry["error"] is not None]
            self.renew()
        return ["the time is over"]


def identity(*parts) -> str:
    raw = bytearray(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x80, raw[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def intervention(lane: int, epoch: int, seq: int) -> tuple[str, dict]:
    case, step = divmod(seq - 1, 3)
    state = ("raised", "updated", "cleared")[step]
    name = identity("intervention", lane, epoch, case)
    data = {
        "intervention": name, "rule": f"rule-{case % 5}", "category": "payment", "severity": "warning",
        "title": "Payment has no answer", "store": "0042", "lane": f"{lane:02}", "phase": "pay", "key": {"pay": f"P{case}"},
        "state": state, "revision": step + 1, "repeats": 0, "raisedAt": "2026-11-21T08:14:03.120Z", "evidence": [
            {"at": "2026-11-21T08:13:18.120Z", "type": "payment.started", "attributes": {"pay": f"P{case}", "amount": 1299}}],
        "remoteResolvable": False, "view": f"/lanes/{lane:02}/view", "rules": "sha256:" + "0" * 64, "lateBy": None,
    }
    if state == "cleared":
        data |= {"clearedAt": "2026-11-21T08:15:03.120Z", "reason": "answered"}
    return state, data


def main(bootstrap: str):
    writer = Writer({
        "bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "enable.idempotence": True, "acks": "all",
        "linger.ms": 5, "message.timeout.ms": 120000, "broker.address.family": "v4"})
    sent = 0
    for line in sys.stdin:
        order = json.loads(line)
        lane, epoch, topic = order.get("lane", 1), order.get("epoch", 60000), order.get("topic", "sco.interventions")
        for seq in range(order.get("from", 1), order.get("to", order.get("from", 1)) + 1):
            state, data = intervention(lane, epoch, seq)
            headers = {
                "content-type": "application/json", "ce_specversion": "1.0",
                "ce_id": identity("message", order.get("id", ""), lane, epoch, seq),
                "ce_type": f"sco.intervention.{state}.v1", "ce_source": f"/stores/0042/lanes/{lane:02}",
                "ce_subject": data["intervention"], "ce_time": "2026-11-21T08:14:03.120Z",
                "ce_recordedtime": "2026-11-21T08:14:03.125Z", "ce_partitionkey": f"0042/{lane:02}",
                "ce_dataschema": "urn:lanewatch:schema:sco.intervention.v1", "ce_sequence": f"{epoch * 10**14 + seq:020}",
            }
            if "type" in order:
                headers["ce_type"], data = order["type"], order.get("data", {})
            headers |= order.get("headers", {})
            value = order["value"] if "value" in order else json.dumps(data)
            kept = [(name, text.encode()) for name, text in headers.items() if text is not None]
            writer.send(topic=topic, key=order.get("key", f"0042/{lane:02}"), value=value, headers=kept)
            writer.poll(order.get("pause", 0) / 1000)
            sent += 1
    refused = writer.finish(120)
    if refused:
        sys.exit(f"{len(refused)} not delivered: {refused[:3]}")
    print(sent)


main(sys.argv[1])
