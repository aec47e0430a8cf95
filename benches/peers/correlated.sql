-- The whole group, an epic's rows by correlated subqueries.
--   psql -XAtq -v group=1 -v root=1 -v part=0 -v parts=1 -f correlated.sql
-- `part` of `parts`: epics whose id leaves that remainder; the other relations belong to part 0.
\ir settings.sql

COPY (
  SELECT row_to_json(record)
  FROM (
    SELECT :epic_columns,
      (SELECT row_to_json(parent) FROM epics parent WHERE parent.id = e.parent_id) AS parent,
      (SELECT coalesce(json_agg(a ORDER BY a.id), '[]') FROM award_emoji a
       WHERE a.awardable_type = 'Epic' AND a.awardable_id = e.id
          OR a.awardable_type = 'Issue' AND a.awardable_id = e.issue_id) AS award_emoji,
      (SELECT coalesce(json_agg(event ORDER BY event.id), '[]')
       FROM (SELECT v.*, (SELECT row_to_json(p) FROM push_event_payloads p WHERE p.event_id = v.id) AS push_event_payload
             FROM events v
             WHERE v.target_type = 'Epic' AND v.target_id = e.id
                OR v.target_type IN ('Issue', 'WorkItem') AND v.target_id = e.issue_id) event) AS events,
      (SELECT coalesce(json_agg(link ORDER BY link.id), '[]')
       FROM (SELECT k.*, (SELECT row_to_json(l) FROM labels l WHERE l.id = k.label_id) AS label
             FROM label_links k
             WHERE k.target_type = 'Epic' AND k.target_id = e.id
                OR k.target_type = 'Issue' AND k.target_id = e.issue_id) link) AS label_links,
      (SELECT coalesce(json_agg(record_note ORDER BY record_note.id), '[]')
       FROM (SELECT :note_columns,
               (SELECT json_build_object('name', u.name) FROM users u WHERE u.id = n.author_id) AS author,
               (SELECT coalesce(json_agg(a ORDER BY a.id), '[]') FROM award_emoji a
                WHERE a.awardable_type = 'Note' AND a.awardable_id = n.id) AS award_emoji,
               (SELECT coalesce(json_agg(event ORDER BY event.id), '[]')
                FROM (SELECT v.*, (SELECT row_to_json(p) FROM push_event_payloads p WHERE p.event_id = v.id) AS push_event_payload
                      FROM events v WHERE v.target_type = 'Note' AND v.target_id = n.id) event) AS events,
               (SELECT row_to_json(s) FROM system_note_metadata s WHERE s.note_id = n.id) AS system_note_metadata
             FROM notes n
             WHERE n.noteable_type = 'Epic' AND n.noteable_id = e.id
                OR n.noteable_type = 'Issue' AND n.noteable_id = e.issue_id) record_note) AS notes,
      (SELECT coalesce(json_agg(r ORDER BY r.id), '[]') FROM resource_state_events r
       WHERE r.issue_id = e.issue_id OR r.epic_id = e.id) AS resource_state_events
    FROM epics e
    WHERE e.group_id = :group AND e.id % :parts = :part
    ORDER BY e.id) record)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

SELECT :part = 0 AS first \gset
\if :first
  \ir others.sql
\endif
COMMIT;
