-- Makes fixtures/gitlab.sql large enough that a plan of it has forty tasks, and that each takes a while: 30 subgroups of
-- group 4350, and thousands of rows in each of its groups.
\set ON_ERROR_STOP on
set timezone = 'UTC';

create temp table grp as
select 4349 + i as id, i - 1 as number from generate_series(1, 3) i
union all
select 900000 + i, 2 + i from generate_series(1, 30) i;

insert into namespaces (id, name, path, type, parent_id, traversal_ids, created_at, updated_at)
select id, 'Team ' || id, 'team-' || id, 'Group', 4350, array[4350, id], '2023-01-01', '2023-02-01' from grp where id > 900000;

insert into routes (id, source_id, source_type, path, name, created_at, updated_at, namespace_id)
select 900000 + id, id, 'Namespace', 'acme/team-' || id, 'acme / Team ' || id, '2023-01-01', '2023-02-01', id from grp where id > 900000;

insert into labels (id, title, color, created_at, updated_at, description, type, group_id)
select 10000000 + i, 'Label ' || i, '#6699cc', '2023-03-01'::timestamp + i * interval '1 minute',
       '2023-06-01'::timestamp + i * interval '1 minute', repeat(md5(i::text), 6), 'GroupLabel', grp.id
from generate_series(1, 6600) i join grp on grp.number = i % 33;

insert into milestones (id, title, description, created_at, updated_at, state, iid, group_id)
select 10000000 + i, 'Milestone ' || i, repeat(md5('m' || i), 8), '2023-03-01'::timestamp + i * interval '1 minute',
       '2023-06-01'::timestamp + i * interval '1 minute', case i % 2 when 0 then 'active' else 'closed' end, 10000 + i, grp.id
from generate_series(1, 3300) i join grp on grp.number = i % 33;

insert into epics (id, group_id, author_id, iid, created_at, updated_at, title, title_html, description)
select 10000000 + i, grp.id, (select min(author_id) from epics), 10000 + i,
       '2023-03-01'::timestamp + i * interval '1 minute', '2023-06-01'::timestamp + i * interval '1 minute',
       'Epic ' || i, 'Epic ' || i, repeat(md5('e' || i), 10)
from generate_series(1, 1650) i join grp on grp.number = i % 33;

insert into notes (id, note, noteable_type, noteable_id, author_id, created_at, updated_at, discussion_id)
select 10000000 + i, repeat(md5('n' || i), 10), 'Epic', 10000001 + i % 1650, (select min(author_id) from epics),
       '2023-04-01'::timestamp + i * interval '1 minute', '2023-06-01'::timestamp + i * interval '1 minute', md5('d' || i)
from generate_series(1, 8000) i;
