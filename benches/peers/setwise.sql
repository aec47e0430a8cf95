-- The whole group, an epic's rows by sets: every nested table is aggregated once for all epics, then joined.
--   psql -XAtq -v group=1 -v root=1 -v part=0 -v parts=1 -f setwise.sql
-- `part` of `parts`: epics whose id leaves that remainder; the other relations belong to part 0.
\ir settings.sql

COPY (
  WITH e AS MATERIALIZED (
    SELECT * FROM epics WHERE group_id = :group AND id % :parts = :part),
  -- What a row may belong to: the epic itself, or the issue behind it.
  owner AS MATERIALIZED (
    SELECT id AS epic, 'Epic' AS type, id AS key FROM e
    UNION ALL SELECT id, 'Issue', issue_id FROM e WHERE issue_id IS NOT NULL
    UNION ALL SELECT id, 'WorkItem', issue_id FROM e WHERE issue_id IS NOT NULL),
  n AS MATERIALIZED (
    SELECT o.epic, :note_columns FROM owner o JOIN notes n ON n.noteable_type = o.type AND n.noteable_id = o.key
    WHERE o.type <> 'WorkItem'),
  note_emoji AS (
    SELECT a.awardable_id AS note, json_agg(a ORDER BY a.id) AS list
    FROM n JOIN award_emoji a ON a.awardable_type = 'Note' AND a.awardable_id = n.id GROUP BY 1),
  note_events AS (
    SELECT target_id AS note, json_agg(event ORDER BY event.id) AS list
    FROM (SELECT v.*, p AS push_event_payload
          FROM n JOIN events v ON v.target_type = 'Note' AND v.target_id = n.id
          LEFT JOIN push_event_payloads p ON p.event_id = v.id) event
    GROUP BY 1),
  notes AS (
    SELECT epic, json_agg(record_note ORDER BY record_note.id) AS list
    FROM (SELECT n.*, json_build_object('name', u.name) AS author, coalesce(a.list, '[]') AS award_emoji,
            coalesce(v.list, '[]') AS events, s AS system_note_metadata
          FROM n
          LEFT JOIN users u ON u.id = n.author_id
          LEFT JOIN note_emoji a ON a.note = n.id
          LEFT JOIN note_events v ON v.note = n.id
          LEFT JOIN system_note_metadata s ON s.note_id = n.id) record_note
    GROUP BY 1),
  emoji AS (
    SELECT o.epic, json_agg(a ORDER BY a.id) AS list
    FROM owner o JOIN award_emoji a ON a.awardable_type = o.type AND a.awardable_id = o.key
    WHERE o.type <> 'WorkItem' GROUP BY 1),
  events AS (
    SELECT epic, json_agg(event ORDER BY event.id) AS list
    FROM (SELECT o.epic, v.*, p AS push_event_payload
          FROM owner o JOIN events v ON v.target_type = o.type AND v.target_id = o.key
          LEFT JOIN push_event_payloads p ON p.event_id = v.id) event
    GROUP BY 1),
  links AS (
    SELECT epic, json_agg(link ORDER BY link.id) AS list
    FROM (SELECT o.epic, k.*, l AS label
          FROM owner o JOIN label_links k ON k.target_type = o.type AND k.target_id = o.key
          LEFT JOIN labels l ON l.id = k.label_id
          WHERE o.type <> 'WorkItem') link
    GROUP BY 1),
  states AS (
    SELECT epic, json_agg(r ORDER BY r.id) AS list
    FROM (SELECT e.id AS epic, r.* FROM e JOIN resource_state_events r ON r.epic_id = e.id
          UNION SELECT e.id, r.* FROM e JOIN resource_state_events r ON r.issue_id = e.issue_id) r
    GROUP BY 1)
  SELECT row_to_json(record)
  FROM (
    SELECT :epic_columns, parent, coalesce(emoji.list, '[]') AS award_emoji, coalesce(events.list, '[]') AS events,
      coalesce(links.list, '[]') AS label_links, coalesce(notes.list, '[]') AS notes,
      coalesce(states.list, '[]') AS resource_state_events
    FROM e
    LEFT JOIN epics parent ON parent.id = e.parent_id
    LEFT JOIN emoji ON emoji.epic = e.id
    LEFT JOIN events ON events.epic = e.id
    LEFT JOIN links ON links.epic = e.id
    LEFT JOIN notes ON notes.epic = e.id
    LEFT JOIN states ON states.epic = e.id
    ORDER BY e.id) record)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

SELECT :part = 0 AS first \gset
\if :first
  \ir others.sql
\endif
COMMIT;
