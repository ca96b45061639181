"""The operator's commands: set up, see the lag, answer an alarm, prune."""
import json
import time

from confluent_kafka import Consumer, TopicPartition

from message import shown
from store import Store


def init(options) -> int:
    with Store(options.database) as store:
        store.create()
    print("the schema lanewatch is there")
    return 0


def lag(options) -> int:
    """Between the ends of the partitions and what PostgreSQL says: Kafka's own offsets are a copy, and may be behind."""
    end = time.monotonic() + options.wait
    consumer = Consumer(options.settings | {"enable.auto.commit": False, "session.timeout.ms": 10000})
    try:
        while True:
            rows = _lag(consumer, options)
            if time.monotonic() >= end or not any(row["lag"] for row in rows):
                break
            time.sleep(0.2)
    finally:
        consumer.close()
    for row in rows:
        print(json.dumps(row))
    return 1 if any(row["lag"] for row in rows) else 0


def _lag(consumer: Consumer, options) -> list[dict]:
    with Store(options.database) as store:
        rows = store.connection.execute("SELECT topic, partition, next_offset FROM offsets").fetchall()
    stored = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    found = []
    for topic in options.topic:
        known = consumer.list_topics(topic, timeout=15).topics[topic]
        for partition in sorted(known.partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=15)
            next = stored.get((topic, partition))
            # Out of the log, where it was made anew: it begins with what there is.
            start = low if next is None or not low <= next <= high else next
            found.append({"topic": topic, "partition": partition, "next": next, "end": high, "lag": high - start})
    return found


def alarms(options) -> int:
    with Store(options.database) as store:
        rows = store.connection.execute("SELECT * FROM alarms WHERE accepted_at IS NULL ORDER BY alarm").fetchall()
    for row in rows:
        expected, found = int(row["expected"]), int(row["found"])
        what = f"{shown(expected)} should have come, {shown(found)} came" if row["kind"] == "gap" \
            else f"{shown(found)} came again as another message"
        print(f"{row['alarm']}  {row['noticed_at']:%Y-%m-%d %H:%M:%S}  {row['source']} on {row['topic']}: {what} "
              f"(partition {row['partition']}, offset {row['kafka_offset']})")
    if not rows:
        print("no open alarm")
    return 3 if rows else 0


def accept(options) -> int:
    with Store(options.database) as store:
        done = store.connection.execute(
            "UPDATE alarms SET accepted_at = now(), why = %s WHERE alarm = %s AND accepted_at IS NULL",
            [options.why, options.alarm]).rowcount
    print(f"alarm {options.alarm} is answered" if done else f"there is no open alarm {options.alarm}")
    return 0 if done else 2


def prune(options) -> int:
    """In pieces, so that no transaction is long. What is below its cursor is known to be a repeat without the row too."""
    deleted = {"messages": 0, "rejected": 0}
    with Store(options.database) as store:
        for table, column in [("messages", "written_at"), ("rejected", "rejected_at")]:
            below = "AND EXISTS (SELECT FROM cursors c WHERE c.source = t.source AND c.topic = t.topic AND t.sequence <= c.last)"
            statement = (
                f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} t "
                f"WHERE {column} < now() - make_interval(days => %s) {below if table == 'messages' else ''} LIMIT 5000))")
            while count := store.connection.execute(statement, [options.keep_days]).rowcount:
                deleted[table] += count
    print(json.dumps({"deleted": deleted}))
    return 0
