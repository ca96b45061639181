"""What a message brings about. Yours goes here: the rest of the example stays as it is.

`apply` is called inside the transaction that also writes the messages, the cursors and the offsets, and only with messages
that were never here before. Whatever it writes to this database through `cursor` happens once. What it did elsewhere (a mail, a
call of another service) could happen again: write it to a table here, and send it from there.
"""
import json

from message import Message

INTERVENTIONS = {
    "sco.intervention.raised.v1", "sco.intervention.updated.v1", "sco.intervention.cleared.v1",
}

# One round trip for a whole batch. A message that goes to several topics has the same id on each: it counts once, by the key of
# intervention_history. Rows are taken in one order, so that two consumers wait for each other and never in a circle.
TELL = """
WITH batch AS (
    SELECT * FROM jsonb_to_recordset(%s::jsonb)
        AS m(source text, id uuid, time timestamptz, data jsonb)
), fresh AS (
    INSERT INTO intervention_history (source, id, intervention, revision, state, time, data)
    SELECT source, id, (data->>'intervention')::uuid, (data->>'revision')::bigint, data->>'state', time, data
    FROM batch ORDER BY source, id
    ON CONFLICT (source, id) DO NOTHING
    RETURNING source, intervention, revision, state, data
), counted AS (
    INSERT INTO calls (source, rule, raised, updated, cleared)
    SELECT source, data->>'rule', count(*) FILTER (WHERE state = 'raised'), count(*) FILTER (WHERE state = 'updated'),
        count(*) FILTER (WHERE state = 'cleared')
    FROM fresh GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (source, rule) DO UPDATE SET raised = calls.raised + excluded.raised,
        updated = calls.updated + excluded.updated, cleared = calls.cleared + excluded.cleared
)
INSERT INTO interventions (intervention, source, rule, category, severity, title, is_open, is_shadow, revision, raised_at,
    cleared_at, reason, data)
SELECT DISTINCT ON (intervention) intervention, source, data->>'rule', data->>'category', data->>'severity', data->>'title',
    state <> 'cleared', coalesce((data->>'shadow')::boolean, false), revision, (data->>'raisedAt')::timestamptz,
    (data->>'clearedAt')::timestamptz, data->>'reason', data
FROM fresh ORDER BY intervention, revision DESC
ON CONFLICT (intervention) DO UPDATE SET severity = excluded.severity, title = excluded.title, is_open = excluded.is_open,
    revision = excluded.revision, cleared_at = excluded.cleared_at, reason = excluded.reason, data = excluded.data
WHERE interventions.revision < excluded.revision
"""

KEEP = """
INSERT INTO events (source, id, topic, type, subject, time, data)
SELECT source, id, topic, type, subject, time, data
FROM jsonb_to_recordset(%s::jsonb)
    AS m(source text, id uuid, topic text, type text, subject text, time timestamptz, data jsonb)
ORDER BY source, id, topic
ON CONFLICT (source, id, topic) DO NOTHING
"""


def apply(cursor, messages: list[Message]):
    interventions = [m for m in messages if m.type in INTERVENTIONS and m.data is not None]
    others = [m for m in messages if m.type not in INTERVENTIONS or m.data is None]
    if interventions:
        cursor.execute(TELL, [_rows(interventions)])
    if others:
        cursor.execute(KEEP, [_rows(others)])


def _rows(messages: list[Message]) -> str:
    return json.dumps([
        {"source": m.source, "id": str(m.id), "topic": m.record.topic, "type": m.type, "subject": m.subject,
         "time": m.time, "data": m.data}
        for m in messages
    ], ensure_ascii=False)
