-- What both ways of writing the epics share: settings that favour them, one instant, and the columns that are written
-- (GitLab leaves the rendered HTML of notes out, which would double the output).
SET work_mem = '256MB';
SET jit = off;
SET random_page_cost = 1.1;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\if :{?snapshot}
  SET TRANSACTION SNAPSHOT :'snapshot';
\endif

SELECT string_agg('e.' || quote_ident(attname), ', ' ORDER BY attnum) AS epic_columns
FROM pg_attribute
WHERE attrelid = 'epics'::regclass AND attnum > 0 AND NOT attisdropped
  AND attname <> ALL ('{assignee_id,external_key}')
\gset

SELECT string_agg('n.' || quote_ident(attname), ', ' ORDER BY attnum) AS note_columns
FROM pg_attribute
WHERE attrelid = 'notes'::regclass AND attnum > 0 AND NOT attisdropped
  AND attname <> ALL ('{note_html,cached_markdown_version}')
\gset
