-- What PostgreSQL itself says that a row must look like, for the tests of tests/it/postgres.rs: made from the catalog,
-- with nothing of the program's own.

-- A time in UTC, cut to milliseconds; BC years count astronomically; infinity is null.
CREATE FUNCTION judge_date(t timestamp) RETURNS jsonb LANGUAGE sql AS $$
  SELECT to_jsonb(
    CASE WHEN extract(year FROM t) < -1 THEN '-' ELSE '' END
    || regexp_replace(lpad(abs(CASE WHEN extract(year FROM t) < 0 THEN extract(year FROM t) + 1 ELSE extract(year FROM t) END)::text, 12, '0'), '^0*(\d{4,})$', '\1')
    || to_char(t, '-MM-DD'))
  WHERE isfinite(t)
$$;
CREATE FUNCTION judge_timestamp(t timestamp) RETURNS jsonb LANGUAGE sql AS $$
  SELECT to_jsonb((judge_date(t) #>> '{}') || to_char(date_trunc('milliseconds', t), '"T"HH24:MI:SS.MS"Z"'))
$$;

-- The name of an integer; the number itself where it has none.
CREATE FUNCTION judge_name(names text[], name text, first integer) RETURNS text LANGUAGE sql AS $$
  SELECT format('coalesce(to_jsonb((%L::text[])[t.%I + %s]), to_jsonb(t.%2$I))', names, name, 1 - first)
$$;

-- The JSON of a column as an SQL expression over the row `t`.
CREATE FUNCTION judge_column(of_table text, name text, type text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE
    WHEN name = 'imported_from' THEN judge_name('{none,gitlab_migration,gitlab_project,gitlab_group,github,bitbucket,bitbucket_server,fogbugz,gitea,git,manifest,custom_template,jira,offline_transfer}', name, 0)
    WHEN (of_table, name) = ('lists', 'list_type') THEN judge_name('{backlog,label,closed,assignee,milestone,iteration,status}', name, 0)
    WHEN (of_table, name) = ('boards_epic_lists', 'list_type') THEN judge_name('{backlog,label,closed}', name, 0)
    WHEN (of_table, name) = ('events', 'action') THEN judge_name('{created,updated,closed,reopened,pushed,commented,merged,joined,left,destroyed,expired,approved,transferred}', name, 1)
    WHEN (of_table, name) = ('resource_state_events', 'state') THEN judge_name('{opened,closed,merged,locked,reopened}', name, 1)
    WHEN (of_table, name) = ('push_event_payloads', 'action') THEN judge_name('{created,removed,pushed}', name, 0)
    WHEN (of_table, name) = ('push_event_payloads', 'ref_type') THEN judge_name('{branch,tag}', name, 0)
    WHEN (of_table, name) = ('labels', 'color') THEN $sql$to_jsonb(coalesce(t.color, '#6699cc'))$sql$
    WHEN (of_table, name) = ('epics', 'color') THEN $sql$to_jsonb(coalesce(t.color, '#1068bf'))$sql$
    WHEN (of_table, name) = ('notes', 'last_edited_at') THEN $sql$judge_timestamp(coalesce(t.last_edited_at::timestamptz AT TIME ZONE 'UTC', t.updated_at))$sql$
    WHEN type = 'timestamp without time zone' THEN format('judge_timestamp(t.%I)', name)
    WHEN type = 'timestamp with time zone' THEN format($sql$judge_timestamp(t.%I AT TIME ZONE 'UTC')$sql$, name)
    WHEN type = 'date' THEN format('judge_date(t.%I)', name)
    WHEN type = 'bytea' THEN format($sql$to_jsonb(encode(t.%I, 'hex'))$sql$, name)
    WHEN type IN ('smallint', 'integer', 'bigint', 'boolean', 'text', 'json', 'jsonb') OR type LIKE 'character%' THEN format('to_jsonb(t.%I)', name)
    ELSE format('to_jsonb(t.%I::text)', name)
  END
$$;
-- Every row of `tables` (which calls the one of interest `t`), in order, beside the key of the row above it.
CREATE FUNCTION judge(of_table text, parent text, tables text, sorted text, without text[] DEFAULT '{}', only_these text[] DEFAULT NULL)
RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
  columns text;
BEGIN
  SELECT string_agg(format('jsonb_build_object(%L, %s)', attname, judge_column(of_table, attname, format_type(atttypid, NULL))), ' || ' ORDER BY attnum)
  INTO columns
  FROM pg_attribute
  WHERE attrelid = ('public.' || of_table)::regclass AND attnum > 0 AND NOT attisdropped
    AND attname <> ALL (without) AND (only_these IS NULL OR attname = ANY (only_these));
  RETURN QUERY EXECUTE format('SELECT jsonb_build_object(''parent'', %s, ''row'', %s) FROM %s ORDER BY %s', parent, columns, tables, sorted);
END
$$;
