#!/usr/bin/env python3
"""Reads Lanewatch's interventions from Kafka and writes them into PostgreSQL, once in effect. README.md tells why it is so.

Exit status: 0 stopped in order, 1 an unexpected fault, 2 wrong use or a database that is not set up,
3 an alarm that an operator has to answer (`consume.py alarms`).
"""
import argparse
import os
import random
import signal
import sys
import threading
import time
from collections import Counter

import psycopg
from confluent_kafka import KafkaError, KafkaException

import keep
from store import Store
from stream import FIXED, Fenced, Stopped, Stream
from words import say

# SQLSTATE classes that waiting does not mend: no such table or right, no such schema.
NOT_SET_UP = ("42", "3F")


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    try:
        return options.command(options)
    except psycopg.Error as error:
        print(f"consume.py: PostgreSQL: {error}", file=sys.stderr)
    except KafkaException as error:
        print(f"consume.py: Kafka: {error.args[0].str()}", file=sys.stderr)
    return 1


def run(options, store_type=Store, stream_type=Stream) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    life = Life(options, stop, store_type, stream_type)
    say("started", pid=os.getpid(), topics=options.topic, group=options.group, batch=options.batch)
    code = life.run()
    life.report("stopped", code=code)
    return code


class Life:
    """From start to stop, over any number of memberships and connections."""

    def __init__(self, options, stop: threading.Event, store_type, stream_type):
        self.options, self.stop = options, stop
        self.store_type, self.stream_type = store_type, stream_type
        self.counts: Counter = Counter()
        self.began = self.first_read = time.monotonic()
        self.pause = 0.0
        self.due = self.began + options.report

    def run(self) -> int:
        while not self.stop.is_set():
            try:
                self._once()
                return 0
            except Stopped as why:
                for alarm in why.alarms:
                    say("alarm", alarm=alarm.number, kind=alarm.kind, text=str(alarm),
                        next="find out what happened (lanewatch verify), then: consume.py accept "
                             f"{alarm.number} --why '…', and start it again")
                return 3
            except Fenced as why:
                self.counts["times_fenced"] += 1
                say("fenced", partitions=str(why), text="another consumer has them; nothing of them was written here")
            except psycopg.Error as error:
                if (error.sqlstate or "")[:2] in NOT_SET_UP:
                    say("refused", text=f"PostgreSQL: {_line(error)}; is it set up? consume.py init")
                    return 2
                self._away("postgresql", error)
            except KafkaException as error:
                if error.args[0].code() == KafkaError._INVALID_ARG:
                    say("refused", text=f"Kafka's settings: {error.args[0].str()}")
                    return 2
                self._away("kafka", error.args[0].str())
        return 0

    def _once(self):
        """One connection and one membership, until the stop or a fault."""
        with self.store_type(self.options.database, frozenset(self.options.compacted)) as store:
            stream = self.stream_type(store, self.options.settings, self.options.topic, self.options.batch, self.counts)
            try:
                while not self.stop.is_set() and not (self.options.until_end and stream.is_at_end):
                    read = self.counts["read"]
                    stream.turn(wait=0.2)
                    if self.counts["read"] > read:
                        self.pause = 0.0
                        self.first_read = time.monotonic() if read == 0 else self.first_read
                    if time.monotonic() >= self.due:
                        self.report("counts")
                stream.tell_kafka(now=True)
            finally:
                stream.close()

    def _away(self, which: str, error):
        """Waits twice as long each time, at most `--patience`, and not in step with other consumers."""
        self.counts[f"{which}_away"] += 1
        self.pause = min(max(0.25, self.pause * 2), self.options.patience)
        say("away", which=which, error=_line(error), again_in=round(self.pause, 2))
        self.stop.wait(self.pause * random.uniform(0.5, 1))

    def report(self, event: str, **members):
        self.due = time.monotonic() + self.options.report
        seconds = max(0.001, time.monotonic() - self.first_read)
        say(event, **members, **self.counts, per_second=round(self.counts["read"] / seconds))


def _line(error) -> str:
    return " ".join(str(error).split())


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if name in FIXED:
        raise argparse.ArgumentTypeError(f"{name} may not be changed: messages would be lost or done twice")
    return name, value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def _parse(arguments: list[str]):
    environment = os.environ.get
    parser = argparse.ArgumentParser(prog="consume.py", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function, text: str):
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(command=function)
        one.add_argument("--database", metavar="CONNINFO", default=environment("LANEWATCH_DATABASE", ""), help=(
            "libpq's connection string, without the password: that belongs into PGPASSFILE (LANEWATCH_DATABASE; else PG*)"))
        return one

    def kafka(one):
        one.add_argument("--brokers", metavar="LIST", default=environment("LANEWATCH_BROKERS", "localhost:9092"),
                         help="host:port,… (LANEWATCH_BROKERS)")
        one.add_argument("--topic", action="append", metavar="TOPIC", help="may be given several times (sco.interventions)")
        one.add_argument("--settings-file", metavar="FILE", default=environment("LANEWATCH_KAFKA_SETTINGS"), help=(
            "librdkafka's settings, NAME=VALUE a line: TLS, SASL and passwords (LANEWATCH_KAFKA_SETTINGS)"))
        one.add_argument("-X", dest="extra", action="append", type=_setting, default=[], metavar="NAME=VALUE",
                         help="a setting of librdkafka's")
        one.add_argument("--group", default=environment("LANEWATCH_GROUP", "lanewatch-postgresql"),
                         help="the consumer group (LANEWATCH_GROUP)")

    one = command("run", run, "Consume until SIGTERM")
    kafka(one)
    one.add_argument("--batch", type=_count, default=500, metavar="N", help="messages in a transaction, at most (500)")
    one.add_argument("--compacted", action="append", metavar="TOPIC",
                     help="of which Kafka keeps the last only: holes are usual (sco.lane-state)")
    one.add_argument("--until-end", action="store_true", help="end once all that is there now is written")
    one.add_argument("--report", type=float, default=10, metavar="SECONDS", help="between two lines of counts (10)")
    one.add_argument("--patience", type=float, default=15, metavar="SECONDS",
                     help="longest pause before PostgreSQL or Kafka are tried again (15)")

    command("init", keep.init, "Make the tables that are not there")
    one = command("lag", keep.lag, "Say how far PostgreSQL is behind Kafka; exit status 1 where it is")
    kafka(one)
    one.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="for it to catch up")
    command("alarms", keep.alarms, "List what stopped a lane and was not answered")
    one = command("accept", keep.accept, "Answer an alarm: the next start goes on behind it")
    one.add_argument("alarm", type=int)
    one.add_argument("--why", required=True, help="for those who ask later")
    one = command("prune", keep.prune, "Delete the rows that say which messages were here, once they are old")
    one.add_argument("--keep-days", type=_count, default=60, metavar="N",
                     help="longer than the topics' retention (60)")

    options = parser.parse_args(arguments)
    if hasattr(options, "brokers"):
        options.topic = options.topic or ["sco.interventions"]
        options.settings = _settings(parser, options)
    if hasattr(options, "compacted"):
        options.compacted = options.compacted or ["sco.lane-state"]
    return options


def _settings(parser, options) -> dict:
    settings = {}
    if options.settings_file:
        try:
            with open(options.settings_file, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
            settings = dict(_setting(line) for line in lines if line and not line.startswith("#"))
        except (OSError, UnicodeDecodeError, argparse.ArgumentTypeError) as error:
            parser.error(f"--settings-file: {error}")
    return settings | dict(options.extra) | {"bootstrap.servers": options.brokers, "group.id": options.group}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
