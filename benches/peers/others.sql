-- Every relation but epics, as lines of JSON: nested by correlated subqueries, which is the fastest way for the few
-- rows that they have. Variables: group (a key), root (that of its root ancestor). Included by the two scripts for epics.
--
-- COPY's CSV with characters that JSON cannot hold as delimiter and quote: the lines are JSON as it is, with nothing escaped twice.

COPY (SELECT row_to_json(m) FROM milestones m WHERE group_id = :group ORDER BY id)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (SELECT row_to_json(b) FROM badges b WHERE group_id = :group AND type = 'GroupBadge' ORDER BY id)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (
  SELECT row_to_json(record)
  FROM (
    SELECT l.*, CASE WHEN ('x' || substr(color, 2, 2))::bit(8)::int + ('x' || substr(color, 4, 2))::bit(8)::int
                        + ('x' || substr(color, 6, 2))::bit(8)::int > 500 THEN '#1F1E24' ELSE '#FFFFFF' END AS "textColor"
    FROM labels l WHERE group_id = :group AND type = 'GroupLabel' ORDER BY id) record)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (
  SELECT row_to_json(record)
  FROM (
    SELECT b.*,
      (SELECT coalesce(json_agg(list ORDER BY list.list_type, list.position NULLS LAST, list.id), '[]')
       FROM (
         SELECT l.*,
           (SELECT row_to_json(label) FROM labels label WHERE label.id = l.label_id) AS label,
           (SELECT row_to_json(board) FROM boards board WHERE board.id = l.board_id) AS board,
           (SELECT row_to_json(iteration)
            FROM (SELECT iid, created_at, updated_at, start_date, due_date, group_id, description
                  FROM sprints WHERE id = l.iteration_id) iteration) AS iteration,
           (SELECT row_to_json(milestone)
            FROM (SELECT m.*,
                    (SELECT coalesce(json_agg(event ORDER BY event.id), '[]')
                     FROM (SELECT v.*, (SELECT row_to_json(p) FROM push_event_payloads p WHERE p.event_id = v.id) AS push_event_payload
                           FROM events v WHERE v.target_type = 'Milestone' AND v.target_id = m.id) event) AS events
                  FROM milestones m WHERE m.id = l.milestone_id) milestone) AS milestone
         FROM lists l WHERE l.board_id = b.id) list) AS lists,
      (SELECT row_to_json(a) FROM board_assignees a WHERE a.board_id = b.id ORDER BY a.id LIMIT 1) AS board_assignee,
      (SELECT row_to_json(m) FROM milestones m WHERE m.id = b.milestone_id) AS milestone,
      (SELECT coalesce(json_agg(l ORDER BY l.title, l.id), '[]')
       FROM board_labels j JOIN labels l ON l.id = j.label_id WHERE j.board_id = b.id) AS labels
    FROM boards b WHERE b.group_id = :group ORDER BY b.id) record)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (
  SELECT row_to_json(record)
  FROM (
    SELECT m.*,
      (SELECT row_to_json(u) FROM (SELECT id, public_email, username, name FROM users WHERE id = m.user_id) u) AS "user"
    FROM members m
    WHERE source_id = :group AND source_type = 'Namespace' AND type = 'GroupMember' AND requested_at IS NULL AND access_level > 5
    ORDER BY id) record)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (
  SELECT json_build_object('prevent_sharing_groups_outside_hierarchy', prevent_sharing_groups_outside_hierarchy)
  FROM namespace_settings WHERE namespace_id = :root)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

-- Every user that a record refers to.
COPY (
  WITH e AS MATERIALIZED (
    SELECT id, issue_id, author_id, assignee_id, updated_by_id, last_edited_by_id, closed_by_id, parent_id
    FROM epics WHERE group_id = :group),
  n AS MATERIALIZED (
    SELECT n.id, author_id, updated_by_id, resolved_by_id FROM notes n
    WHERE noteable_type = 'Epic' AND noteable_id IN (SELECT id FROM e)
       OR noteable_type = 'Issue' AND noteable_id IN (SELECT issue_id FROM e)),
  boards AS MATERIALIZED (SELECT id, milestone_id FROM boards WHERE group_id = :group),
  lists AS MATERIALIZED (SELECT user_id, milestone_id FROM lists WHERE board_id IN (SELECT id FROM boards)),
  referred AS (
    SELECT unnest(ARRAY[author_id, assignee_id, updated_by_id, last_edited_by_id, closed_by_id]) AS id FROM e
    UNION ALL
    SELECT unnest(ARRAY[p.author_id, p.assignee_id, p.updated_by_id, p.last_edited_by_id, p.closed_by_id])
    FROM epics p WHERE p.id IN (SELECT parent_id FROM e)
    UNION ALL
    SELECT unnest(ARRAY[author_id, updated_by_id, resolved_by_id]) FROM n
    UNION ALL
    SELECT user_id FROM award_emoji
    WHERE awardable_type = 'Epic' AND awardable_id IN (SELECT id FROM e)
       OR awardable_type = 'Issue' AND awardable_id IN (SELECT issue_id FROM e)
       OR awardable_type = 'Note' AND awardable_id IN (SELECT id FROM n)
    UNION ALL
    SELECT author_id FROM events
    WHERE target_type = 'Epic' AND target_id IN (SELECT id FROM e)
       OR target_type IN ('Issue', 'WorkItem') AND target_id IN (SELECT issue_id FROM e)
       OR target_type = 'Note' AND target_id IN (SELECT id FROM n)
       OR target_type = 'Milestone' AND target_id IN (SELECT milestone_id FROM lists)
    UNION ALL
    SELECT user_id FROM resource_state_events
    WHERE epic_id IN (SELECT id FROM e) OR issue_id IN (SELECT issue_id FROM e)
    UNION ALL
    SELECT user_id FROM lists
    UNION ALL
    SELECT assignee_id FROM board_assignees WHERE board_id IN (SELECT id FROM boards)
    UNION ALL
    SELECT unnest(ARRAY[user_id, created_by_id]) FROM members
    WHERE source_id = :group AND source_type = 'Namespace' AND type = 'GroupMember' AND requested_at IS NULL AND access_level > 5)
  SELECT row_to_json(u)
  FROM (SELECT id, public_email, username, name FROM users WHERE id IN (SELECT DISTINCT id FROM referred) ORDER BY id) u)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (
  SELECT row_to_json(record)
  FROM (
    SELECT hide_backlog_list, hide_closed_list, group_id, created_at, updated_at, name, display_colors,
      (SELECT coalesce(json_agg(list ORDER BY list_type, position NULLS LAST, id), '[]')
       FROM (SELECT created_at, updated_at, position, list_type, group_id, id,
               (SELECT row_to_json(label) FROM labels label WHERE label.id = l.label_id) AS label
             FROM boards_epic_lists l WHERE l.epic_board_id = b.id) list) AS epic_lists
    FROM boards_epic_boards b WHERE group_id = :group ORDER BY id) record)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (
  SELECT row_to_json(record)
  FROM (
    SELECT group_id, created_at, updated_at, start_date, active, roll_over, title, description,
      (SELECT coalesce(json_agg(iteration ORDER BY id), '[]')
       FROM (SELECT id, iid, created_at, updated_at, start_date, due_date, group_id, description
             FROM sprints s WHERE s.iterations_cadence_id = c.id) iteration) AS iterations
    FROM iterations_cadences c WHERE group_id = :group ORDER BY id) record)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (
  SELECT row_to_json(record)
  FROM (
    SELECT n.*, d.description AS group_description, s.emails_enabled
    FROM namespaces n
    LEFT JOIN namespace_details d ON d.namespace_id = n.id
    LEFT JOIN namespace_settings s ON s.namespace_id = n.id
    WHERE n.id = :group AND n.type = 'Group') record)
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');

COPY (
  SELECT json_build_object(
    'group_milestones', (SELECT max(iid) FROM milestones WHERE group_id = :group),
    'epics', (SELECT max(iid) FROM epics WHERE group_id = :group),
    'iterations', (SELECT max(iid) FROM sprints WHERE group_id = :group)))
  TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');
