"""What the consumer says: a JSON object a line on standard output, {"at":…,"event":…,…}."""
import json
import sys
from datetime import datetime, timezone


def say(event: str, **members):
    at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    sys.stdout.write(json.dumps({"at": at, "event": event} | members, default=str) + "\n")
    sys.stdout.flush()
