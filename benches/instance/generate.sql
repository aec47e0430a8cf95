-- Fills an empty GitLab database (fixtures/schema.sql) with the benchmark instance: 40 groups, 50,000 users, 1.5 million
-- notes, 2 million events, 500,000 label links, 400,000 emoji. Group 1, path `big`, owns a tenth of that.
--
--   psql -v big=1 -f generate.sql        (big=10: group 1 is ten times as large, everything else stays)
--   psql -v big=1 -v with_projects=1 -f generate.sql
--
-- With projects (into fixtures/projects/schema.sql) there is a fifth of the notes, events, emoji, label links and state
-- events; generate-projects.sql then fills the tables of projects, and group 2 has 30 projects.
--
-- Every value is a hash of a row's slot (its number in the plan below), so two runs give the same rows in the same order.
-- An id is a permutation of the slot, and rows are inserted in the order of another hash: neither ids nor the heap
-- show which rows belong together. Indexes are dropped before and built after.
--
-- Slots: a group's rows come first (big, then the 39 others), a project's after them.

\set ON_ERROR_STOP on
\set QUIET on
set client_min_messages = warning;
set timezone = 'UTC';
set work_mem = '256MB';
set maintenance_work_mem = '512MB';
set synchronous_commit = off;

\if :{?with_projects}
  \set part 5
  \set merge_request_notes 0
\else
  \set part 1
  \set merge_request_notes 11
\endif

-- What is how many. Of the big group: times :big; of what an instance with projects has less of: one of :part.
select 10000 * :big as big_epics,
       10000 * :big + 20000 as epics,
       10000 * :big + 20000 + 60000 as issues,          -- an epic's work item is an issue too
       150000 * :big / :part as big_notes,
       150000 * :big / :part + 400000 / :part as group_notes,
       150000 * :big / :part + 400000 / :part + 950000 / :part as notes,
       200000 * :big / :part as big_events,
       200000 * :big / :part + 400000 / :part as group_events,
       200000 * :big / :part + 400000 / :part + 1400000 / :part as events,
       40000 * :big / :part as big_emoji,
       40000 * :big / :part + 80000 / :part as group_emoji,
       40000 * :big / :part + 80000 / :part + 280000 / :part as emoji,
       30000 * :big / :part as big_label_links,
       30000 * :big / :part + 90000 / :part as group_label_links,
       30000 * :big / :part + 90000 / :part + 380000 / :part as label_links,
       20000 * :big / :part as big_state_events,
       20000 * :big / :part + 30000 / :part as group_state_events,
       20000 * :big / :part + 30000 / :part + 60000 / :part as state_events,
       2000 * :big as big_labels,
       2000 * :big + 39 * 100 as group_labels,
       2000 * :big + 39 * 100 + 400 * 20 as labels,
       100 * :big as big_boards,
       100 * :big + 39 * 3 as group_boards,
       100 * :big + 39 * 3 + 400 as boards,
       3000 * :big as big_members,
       3000 * :big + 39 * 300 as group_members,
       3000 * :big + 39 * 300 + 400 * 20 as members,
       200 as big_milestones,
       200 + 39 * 20 as group_milestones,
       200 + 39 * 20 + 400 * 5 as milestones,
       50000 as users,
       400 as projects,
       200000 / :part as pushes
\gset

begin;

create schema gen;

create table gen.postponed (step int, made text);
do $$
declare one record;
begin
  for one in
    select c.conrelid::regclass as owner, c.conname as name, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c join pg_class t on t.oid = c.conrelid
    where c.contype = 'p' and c.connamespace = 'public'::regnamespace and t.relkind = 'r' and not t.relispartition
  loop
    insert into gen.postponed values (1, format('alter table %s add constraint %I %s', one.owner, one.name, one.definition));
    execute format('alter table %s drop constraint %I', one.owner, one.name);
  end loop;
  for one in
    select i.indexrelid::regclass as name, pg_get_indexdef(i.indexrelid) as definition
    from pg_index i join pg_class t on t.oid = i.indrelid
    where t.relnamespace = 'public'::regnamespace and t.relkind = 'r' and not t.relispartition
  loop
    insert into gen.postponed values (2, one.definition);
    execute format('drop index %s', one.name);
  end loop;
end $$;

-- Hashes: h is a number from 0 to 2^62, pick one from 0 to n - 1, share one from 0 to 1.
create function gen.h(i bigint, salt bigint) returns bigint language sql immutable parallel safe
  as 'select hashint8extended($1, $2) & 4611686018427387903';
create function gen.pick(i bigint, salt bigint, n bigint) returns bigint language sql immutable parallel safe
  as 'select (hashint8extended($1, $2) & 4611686018427387903) % $3';
create function gen.share(i bigint, salt bigint) returns float8 language sql immutable parallel safe
  as 'select (hashint8extended($1, $2) & 1073741823) / 1073741824.0::float8';
-- A slot from 1 to n becomes an id from 1 to n, each once (7368787 is a prime, and no n is a multiple of it).
create function gen.perm(i bigint, n bigint) returns bigint language sql immutable parallel safe
  as 'select ($1 * 7368787) % $2 + 1';
create function gen.ts(i bigint, salt bigint) returns timestamp language sql immutable parallel safe
  as $$ select timestamp '2016-03-01' + interval '1 microsecond' * (hashint8extended($1, $2) & 281474976710655) $$;
create function gen.hex40(i bigint, salt bigint) returns text language sql immutable parallel safe
  as $$ select md5(($1 * 1009 + $2)::text) || left(md5(($1 * 1013 + $2)::text), 8) $$;
-- Who did it: in the big group one of 3,000 people, elsewhere anybody.
create function gen.person(i bigint, salt bigint, big boolean) returns bigint language sql immutable parallel safe
  as $$ select case when $3 then 1 + 16 * gen.pick($1, $2, 3000) else 1 + gen.pick($1, $2, 50000) end $$;

-- Text ---------------------------------------------------------------------------------------------------------------

-- 4,000 words, frequent ones first: those that people write about software, then made-up ones, some outside ASCII.
create table gen.word (id int primary key, word text not null, html text);
insert into gen.word (id, word)
select ordinality - 1, word
from unnest(string_to_array(
  'the to a of and in is this that for it we on with be not as are I can have when from should if but or an by you will '
  'there so do was at which all would use now need only also more one after has they then some how what new just like '
  'because where pipeline runner branch merge request issue epic group project label milestone board list commit diff '
  'review test job stage deploy release version server client token user member access level permission query index '
  'table column row database migration schema backup export import cache queue worker thread memory latency timeout '
  'error warning log trace metric alert incident rollback staging production container image registry package script '
  'config variable secret feature flag endpoint request response header body payload webhook event note comment mention '
  'description title template markdown editor button dropdown modal sidebar page view layout component frontend backend '
  'customer support ticket priority severity weight iteration sprint backlog roadmap quarter goal scope design proposal '
  'documentation guide example snippet API GraphQL REST Ruby Rails Go Vue PostgreSQL Redis Gitaly Sidekiq Kubernetes '
  'performance security compliance audit scan vulnerability dependency license upgrade downgrade regression bug fix '
  'cannot does maybe probably already still again before during without against between please thanks agree done ready '
  'blocked waiting open close reopen move split duplicate related follow-up investigate reproduce confirm validate',
  ' ')) with ordinality as words (word, ordinality);
insert into gen.word (id, word)
select i, case gen.pick(i, 1, 60)
    when 0 then (array['über', 'größe', 'naïve', 'café', 'señal', 'prüfung', 'façade', 'вопрос', '修正', 'テスト', '🚀', '👍', '—', '…'])[1 + gen.pick(i, 2, 14)]
    when 1 then '!' || 100 + gen.pick(i, 2, 90000)
    when 2 then '#' || 100 + gen.pick(i, 2, 90000)
    when 3 then '@' || 'user' || 1 + gen.pick(i, 2, 50000)
    when 4 then substr(md5(i::text), 1, 8)
    else first[1 + gen.pick(i, 3, 20)] || middle[1 + gen.pick(i, 4, 24)] || last[1 + gen.pick(i, 5, 16)]
  end
from generate_series((select count(*) from gen.word)::int, 3999) i,
     (values (array['con', 'pro', 're', 'in', 'de', 'ex', 'sub', 'trans', 'per', 'com', 'dis', 'un', 'pre', 'inter', 'over', 'ob', 'ad', 'se', 'out', 'auto'],
              array['fer', 'duc', 'port', 'tract', 'vis', 'scrib', 'ten', 'mit', 'struct', 'vert', 'press', 'form', 'cess', 'gress', 'serv', 'ject', 'pos', 'cred', 'spect', 'flect', 'mand', 'pel', 'rupt', 'sign'],
              array['ing', 'ed', 'ion', 'able', 's', 'ment', 'or', 'al', 'ive', 'e', 'er', 'ance', 'ity', 'ous', 'ly', ''])) parts (first, middle, last);

-- References are links, with all that GitLab hangs on them.
update gen.word set html = case left(word, 1)
  when '@' then '<a href="/' || substr(word, 2) || '" data-reference-type="user" data-user="' || substr(word, 6) || '" data-container="body" data-placement="top" class="gfm gfm-project_member js-user-link" title="' || initcap(substr(word, 2)) || '">' || word || '</a>'
  when '#' then '<a href="/group-2/project-1/-/issues/' || substr(word, 2) || '" data-reference-type="issue" data-original="' || word || '" data-link="false" data-link-reference="false" data-container="body" data-placement="top" class="gfm gfm-issue has-tooltip">' || word || '</a>'
  when '!' then '<a href="/group-2/project-1/-/merge_requests/' || substr(word, 2) || '" data-reference-type="merge_request" data-original="' || word || '" data-link="false" data-link-reference="false" data-container="body" data-placement="top" class="gfm gfm-merge_request has-tooltip">' || word || '</a>'
  else word end;

-- 40,000 sentences of 5 to 17 words, as Markdown and as HTML.
create table gen.sentence (id int primary key, md text not null, html text not null);
insert into gen.sentence
select s, string_agg(md, ' ' order by n) || tail, string_agg(html, ' ' order by n) || tail
from (
  select s, n, tail,
    case dress
      when 0 then '**' || word || '**' when 1 then '`' || word || '`' when 2 then '`<' || word || '>`'
      when 3 then '[' || word || '](https://gitlab.example.com/help/' || word || '?a=1&b=2)'
      when 4 then '"' || word || '"' when 5 then word || ' &' when 6 then word || E'\\_' || n when 7 then '''' || word || '''' when 8 then word || ','
      else word end as md,
    case dress
      when 0 then '<strong>' || word || '</strong>' when 1 then '<code>' || word || '</code>' when 2 then '<code>&lt;' || word || '&gt;</code>'
      when 3 then '<a href="https://gitlab.example.com/help/' || word || '?a=1&amp;b=2" rel="nofollow">' || word || '</a>'
      when 4 then '"' || word || '"' when 5 then word || ' &amp;' when 6 then word || '_' || n when 7 then '''' || word || '''' when 8 then word || ','
      else html end as html
  from (
    select s, n, gen.pick(s * 64 + n, 11, 160) as dress, (array['.', '.', '.', '?', '!', ':'])[1 + gen.pick(s, 12, 6)] as tail,
      case when n = 1 then upper(left(w.word, 1)) || substr(w.word, 2) else w.word end as word,
      case when n = 1 and w.html = w.word then upper(left(w.word, 1)) || substr(w.word, 2) else w.html end as html
    from generate_series(0, 39999) s
    cross join lateral generate_series(1, 5 + gen.pick(s, 13, 13)) n
    join gen.word w on w.id = floor(4000 * power(gen.share(s * 64 + n, 14), 3.2))::int
  ) words
) dressed
group by s, tail;

-- 120,000 texts of 1 to 9 sentences in paragraphs and lists, most of them short.
create table gen.body (id int primary key, md text not null, html text not null);
insert into gen.body
select b,
  string_agg(case when n = 1 then '' when cut < 5 then E'\n\n' when cut < 7 then E'\n- ' when cut < 8 then E'\n\n> ' else ' ' end || t.md, '' order by n),
  '<p data-sourcepos="1:1-' || max(n) || ':' || 40 + gen.pick(b, 21, 200) || '" dir="auto">'
  || string_agg(case when n = 1 then '' when cut < 8 then format(E'</p>\n<p data-sourcepos="%s:1-%s:%s" dir="auto">', n, n, 20 + cut) else ' ' end || t.html, '' order by n)
  || '</p>'
from (
  select b, n, gen.pick(b * 64 + n, 22, 24) as cut, floor(40000 * power(gen.share(b * 64 + n, 23), 2))::int as sentence
  from generate_series(0, 119999) b
  cross join lateral generate_series(1, 1 + floor(9 * power(gen.share(b, 24), 3))::int) n
) parts
join gen.sentence t on t.id = parts.sentence
group by b;
analyze gen.word, gen.sentence, gen.body;

-- Namespaces, projects, users ----------------------------------------------------------------------------------------

-- 1 to 10 are root groups, the others lie one to three levels deep.
create table gen.grp (id bigint primary key, parent_id bigint, path text, full_path text, traversal_ids bigint[]);
with recursive tree as (
  select g as id, case when g <= 10 then null when g <= 20 then g - 10 when g <= 30 then 2 + g % 9 else g - 15 end as parent_id,
    case when g = 1 then 'big' else 'group-' || g end as path
  from generate_series(1::bigint, 40) g
), walked as (
  select id, parent_id, path, path as full_path, array[id] as traversal_ids from tree where parent_id is null
  union all
  select t.id, t.parent_id, t.path, w.full_path || '/' || t.path, w.traversal_ids || t.id from tree t join walked w on w.id = t.parent_id
)
insert into gen.grp select * from walked;

create table gen.project (id bigint primary key, group_id bigint, namespace_id bigint, path text, full_path text);
\if :{?with_projects}
insert into gen.project
select p, g.id, 1000 + p, 'project-' || p, g.full_path || '/project-' || p
from (select p, 1 + gen.pick(p, 31, 40) as g from generate_series(1::bigint, :projects) p) o
join gen.grp g on g.id = case when p <= 30 then 2 when o.g = 2 then 3 else o.g end;
\else
insert into gen.project
select p, g.id, 1000 + p, 'project-' || p, g.full_path || '/project-' || p
from generate_series(1::bigint, :projects) p join gen.grp g on g.id = 1 + gen.pick(p, 31, 40);
\endif

insert into organizations (id, created_at, updated_at, name, path, uuid)
values (1, '2016-01-01 00:00:00+00', '2016-01-01 00:00:00+00', 'Default', 'default', '5eed0000-0000-4000-8000-000000000001');

insert into namespaces (id, name, path, owner_id, created_at, updated_at, type, avatar, parent_id, visibility_level, traversal_ids, organization_id,
                        runners_token_encrypted, shared_runners_minutes_limit, lfs_enabled)
select id, name, path, owner_id, gen.ts(id, 1), gen.ts(id, 2), type, avatar, parent_id, gen.pick(id, 3, 3) * 10, traversal_ids, 1, md5(id::text), null, true
from (
  select id, initcap(path) as name, path, null::bigint as owner_id, 'Group' as type, case when id % 4 = 1 then 'logo.png' end as avatar, parent_id, traversal_ids from gen.grp
  union all
  select p.namespace_id, initcap(p.path), p.path, null, 'Project', null, p.group_id, g.traversal_ids || p.namespace_id from gen.project p join gen.grp g on g.id = p.group_id
  union all
  select 100000 + u, 'User ' || u, 'user' || u, u, 'User', null, null, array[100000 + u] from generate_series(1::bigint, :users) u
) n
order by gen.h(id, 4);

insert into namespace_settings (created_at, updated_at, namespace_id, prevent_sharing_groups_outside_hierarchy, emails_enabled, new_user_signups_cap)
select created_at at time zone 'UTC', updated_at at time zone 'UTC', id, id % 3 = 1, id % 7 <> 0, null from namespaces order by gen.h(id, 5);

insert into namespace_details (namespace_id, created_at, updated_at, cached_markdown_version, description, description_html, creator_id)
select n.id, n.created_at at time zone 'UTC', n.updated_at at time zone 'UTC', 2162689, b.md, b.html, gen.person(n.id, 6, false)
from namespaces n left join gen.body b on n.type = 'Group' and b.id = gen.pick(n.id, 7, 120000) order by gen.h(n.id, 8);

insert into routes (id, source_id, source_type, path, created_at, updated_at, name, namespace_id)
select gen.perm(row_number() over (order by namespace_id), 50440), source_id, source_type, path, gen.ts(namespace_id, 1), gen.ts(namespace_id, 2), initcap(path), namespace_id
from (
  select id as source_id, 'Namespace' as source_type, full_path as path, id as namespace_id from gen.grp
  union all
  select id, 'Project', full_path, namespace_id from gen.project
  union all
  select 100000 + u, 'Namespace', 'user' || u, 100000 + u from generate_series(1::bigint, :users) u
) r
order by gen.h(namespace_id, 9);

insert into redirect_routes (id, source_id, source_type, path, created_at, updated_at, namespace_id)
select id, id, 'Namespace', 'old-' || full_path, gen.ts(id, 1), gen.ts(id, 2), id from gen.grp where id % 4 = 1;

insert into users (id, email, encrypted_password, sign_in_count, current_sign_in_at, last_sign_in_at, current_sign_in_ip, last_sign_in_ip, created_at, updated_at, name,
                   projects_limit, username, state, created_by_id, confirmed_at, public_email, note, last_activity_on, preferred_language, theme_id, feed_token,
                   first_name, last_name, static_object_token_encrypted, organization_id, notification_email, incoming_email_token)
select u, 'user' || u || '@example.com', '$2a$10$' || left(gen.hex40(u, 1) || gen.hex40(u, 2), 53), gen.pick(u, 1, 3000), gen.ts(u, 2), gen.ts(u, 3),
  '192.0.2.' || gen.pick(u, 4, 255), '198.51.100.' || gen.pick(u, 5, 255), gen.ts(u, 6), gen.ts(u, 7), initcap(a.word) || ' ' || initcap(b.word),
  100000, 'user' || u, case when gen.pick(u, 8, 20) = 0 then 'blocked' else 'active' end, case when u % 5 = 0 then 1 end, gen.ts(u, 9),
  case when u % 3 = 0 then 'user' || u || '@example.org' end, null, gen.ts(u, 10)::date, 'en', 1 + u % 10, 'glft-' || left(gen.hex40(u, 3), 20),
  initcap(a.word), initcap(b.word), gen.hex40(u, 4), 1, null, left(gen.hex40(u, 5), 25)
from generate_series(1::bigint, :users) u
join gen.word a on a.id = 300 + gen.pick(u, 11, 3700) join gen.word b on b.id = 300 + gen.pick(u, 12, 3700)
order by gen.h(u, 13);

insert into user_details (user_id, job_title, bio, location, password_last_changed_at, company, onboarding_status)
select u, 'Engineer', left(s.md, 200), 'Berlin', gen.ts(u, 14) at time zone 'UTC', 'Example', '{"step_url": "/users/sign_up/welcome"}'
from generate_series(1::bigint, :users) u join gen.sentence s on s.id = gen.pick(u, 15, 40000) order by gen.h(u, 16);

insert into emails (id, user_id, email, created_at, updated_at, confirmed_at)
select u / 5, u, 'second' || u || '@example.com', gen.ts(u, 1), gen.ts(u, 2), gen.ts(u, 3) from generate_series(5::bigint, :users, 5) u order by gen.h(u, 17);

insert into projects (id, name, path, description, created_at, updated_at, creator_id, namespace_id, last_activity_at, visibility_level, description_html, project_namespace_id, organization_id)
select p.id, initcap(p.path), p.path, b.md, gen.ts(p.id, 1), gen.ts(p.id, 2), gen.person(p.id, 3, false), p.group_id, gen.ts(p.id, 4), 20, b.html, p.namespace_id, 1
from gen.project p join gen.body b on b.id = gen.pick(p.id, 18, 120000) order by gen.h(p.id, 19);

-- A few rows of each group do not count as members: requests and minimal access.
insert into members (id, access_level, source_id, source_type, user_id, notification_level, type, created_at, updated_at, created_by_id, requested_at, expires_at, state, member_namespace_id)
select gen.perm(i, :members + 40 * 5), (array[10, 15, 20, 30, 40, 50])[1 + gen.pick(i, 1, 6)],
  coalesce(g, p), case when p is null then 'Namespace' else 'Project' end, case when g = 1 then 1 + (i * 16 + i / 3125) % 50000 else gen.person(i, 2, false) end, 3,
  case when p is null then 'GroupMember' else 'ProjectMember' end, gen.ts(i, 3), gen.ts(i, 4), gen.person(i, 5, g = 1),
  case when i > :members then gen.ts(i, 6) end, case when i % 9 = 0 then gen.ts(i, 7)::date end, 0, coalesce(g, 1000 + p)
from (
  select i,
    case when i <= :big_members then 1 when i <= :group_members then 2 + (i - :big_members) % 39 when i > :members then 1 + i % 40 end as g,
    case when i > :group_members and i <= :members then 1 + i % :projects end as p
  from generate_series(1::bigint, :members + 40 * 5) i
) m
order by gen.h(i, 8);

-- Labels, milestones, iterations, boards -----------------------------------------------------------------------------

create table gen.label (slot bigint primary key, id bigint, group_id bigint, project_id bigint);
insert into gen.label
select i, gen.perm(i, :labels),
  case when i <= :big_labels then 1 when i <= :group_labels then 2 + (i - :big_labels - 1) % 39 end,
  case when i > :group_labels then 1 + (i - :group_labels - 1) % :projects end
from generate_series(1::bigint, :labels) i;

insert into labels (id, title, color, project_id, created_at, updated_at, description, description_html, type, group_id, cached_markdown_version)
select l.id, w.word || '::' || l.slot, '#' || left(md5(l.slot::text), 6), l.project_id, gen.ts(l.slot, 1), gen.ts(l.slot, 2), s.md, s.html,
  case when l.group_id is null then 'ProjectLabel' else 'GroupLabel' end, l.group_id, 2162689
from gen.label l join gen.word w on w.id = gen.pick(l.slot, 41, 4000) left join gen.sentence s on l.slot % 3 = 0 and s.id = gen.pick(l.slot, 42, 40000)
order by gen.h(l.slot, 43);

insert into label_priorities (id, project_id, label_id, priority, created_at, updated_at)
select slot, project_id, id, slot % 5, gen.ts(slot, 1), gen.ts(slot, 2) from gen.label where project_id is not null and slot % 4 = 0 order by gen.h(slot, 44);

create table gen.milestone (slot bigint primary key, id bigint, group_id bigint, project_id bigint);
insert into gen.milestone
select i, gen.perm(i, :milestones),
  case when i <= :big_milestones then 1 when i <= :group_milestones then 2 + (i - :big_milestones - 1) % 39 end,
  case when i > :group_milestones then 1 + (i - :group_milestones - 1) % :projects end
from generate_series(1::bigint, :milestones) i;

insert into milestones (id, title, project_id, description, due_date, created_at, updated_at, state, iid, title_html, description_html, start_date, cached_markdown_version, group_id)
select m.id, 'v' || m.slot % 40 || '.' || m.slot, m.project_id, b.md, gen.ts(m.slot, 1)::date + 30, gen.ts(m.slot, 1), gen.ts(m.slot, 2),
  case when m.slot % 3 = 0 then 'closed' else 'active' end, row_number() over (partition by m.group_id, m.project_id order by m.slot),
  'v' || m.slot % 40 || '.' || m.slot, b.html, gen.ts(m.slot, 1)::date, 2162689, m.group_id
from gen.milestone m join gen.body b on b.id = gen.pick(m.slot, 45, 120000)
order by gen.h(m.slot, 46);

insert into badges (id, link_url, image_url, project_id, group_id, type, name, created_at, updated_at)
select i, 'https://ci.example.com/%{project_path}?b=' || i, 'https://ci.example.com/badge.svg?b=' || i || '&s=1', case when i > 80 then i end,
  case when i <= 80 then 1 + i % 40 end, case when i <= 80 then 'GroupBadge' else 'ProjectBadge' end, 'Badge ' || i,
  gen.ts(i, 1) at time zone 'UTC', gen.ts(i, 2) at time zone 'UTC'
from generate_series(1::bigint, 200) i order by gen.h(i, 47);

-- Two cadences a group, with 40 iterations each.
insert into iterations_cadences (id, group_id, created_at, updated_at, start_date, duration_in_weeks, iterations_in_advance, title, description)
select c, 1 + c % 40, gen.ts(c, 1) at time zone 'UTC', gen.ts(c, 2) at time zone 'UTC', gen.ts(c, 3)::date, 2, 3, 'Cadence ' || c, s.md
from generate_series(1::bigint, 80) c join gen.sentence s on s.id = c order by gen.h(c, 48);

insert into sprints (id, created_at, updated_at, start_date, due_date, group_id, iid, title, description, description_html, state_enum, iterations_cadence_id, sequence, cached_markdown_version)
select gen.perm(i, 3200), gen.ts(i, 1) at time zone 'UTC', gen.ts(i, 2) at time zone 'UTC', date '2020-01-06' + ((i / 80) * 14)::int, date '2020-01-19' + ((i / 80) * 14)::int,
  1 + (i % 80) % 40, 1 + i / 40, null, s.md, s.html, 1 + i % 3, 1 + (i + 79) % 80, i / 80, 2162689
from generate_series(0::bigint, 3199) i join gen.sentence s on s.id = gen.pick(i, 49, 40000) order by gen.h(i, 50);

create table gen.board (slot bigint primary key, id bigint, group_id bigint, project_id bigint);
insert into gen.board
select i, gen.perm(i, :boards),
  case when i <= :big_boards then 1 when i <= :group_boards then 2 + (i - :big_boards - 1) % 39 end,
  case when i > :group_boards then 1 + (i - :group_boards - 1) % :projects end
from generate_series(1::bigint, :boards) i;

insert into boards (id, project_id, created_at, updated_at, name, milestone_id, group_id, weight)
select b.id, b.project_id, gen.ts(b.slot, 1), gen.ts(b.slot, 2), 'Board ' || b.slot,
  case when b.group_id = 1 then case b.slot % 6 when 0 then -1 - b.slot % 3 when 1 then 0 when 2 then gen.perm(1 + b.slot % :big_milestones, :milestones) end end,
  b.group_id, case when b.slot % 5 = 0 then 3 end
from gen.board b order by gen.h(b.slot, 51);

insert into board_assignees (id, board_id, assignee_id, group_id, project_id)
select slot, id, gen.person(slot, 52, group_id = 1), group_id, project_id from gen.board where slot % 4 = 0 order by gen.h(slot, 53);

insert into board_labels (id, board_id, label_id, group_id, project_id)
select b.slot * 2 + n, b.id, gen.perm(1 + (b.slot * 2 + n) % :big_labels, :labels), 1, null
from gen.board b cross join generate_series(0::bigint, 1) n where b.group_id = 1 and b.slot % 2 = 0 order by gen.h(b.slot * 2 + n, 54);

-- Ten lists a board: backlog, closed, six labels, a milestone, an iteration. Boards outside the big group have the first five.
insert into lists (id, board_id, label_id, list_type, "position", created_at, updated_at, milestone_id, iteration_id, group_id, project_id)
select gen.perm(b.slot * 10 + n, :boards * 10 + 10), b.id, l.id, case n when 0 then 0 when 1 then 2 when 8 then 4 when 9 then 5 else 1 end,
  case when n > 1 then n - 2 end, gen.ts(b.slot * 10 + n, 1), gen.ts(b.slot * 10 + n, 2),
  case n when 8 then gen.perm(1 + b.slot % :big_milestones, :milestones) end, case n when 9 then gen.perm((b.slot % 40) * 80, 3200) end, b.group_id, b.project_id
from gen.board b
cross join generate_series(0::bigint, 9) n
left join gen.label l on n between 2 and 7 and l.slot = case
  when b.group_id = 1 then 1 + (b.slot * 6 + n) % :big_labels
  when b.group_id > 1 then :big_labels + b.group_id - 1 + 39 * n
  else :group_labels + b.project_id + :projects * n end
where b.group_id = 1 or n < 5
order by gen.h(b.slot * 10 + n, 55);

-- Three epic boards a group, five lists each.
insert into boards_epic_boards (id, group_id, created_at, updated_at, name)
select i, 1 + i % 40, gen.ts(i, 1) at time zone 'UTC', gen.ts(i, 2) at time zone 'UTC', 'Epic board ' || i from generate_series(1::bigint, 120) i order by gen.h(i, 56);
insert into boards_epic_lists (id, created_at, updated_at, epic_board_id, label_id, "position", list_type, group_id)
select gen.perm(i * 5 + n, 610), gen.ts(i, 1) at time zone 'UTC', gen.ts(i, 2) at time zone 'UTC', i, l.id, case when n > 1 then n - 2 end,
  case n when 0 then 0 when 1 then 2 else 1 end, 1 + i % 40
from generate_series(1::bigint, 120) i
cross join generate_series(0::bigint, 4) n
left join gen.label l on n > 1 and l.slot = case when i % 40 = 0 then i + n else :big_labels + (i % 40) + 39 * n end
order by gen.h(i * 5 + n, 57);
-- No export reads this table, nor work_item_parent_links: the schema with projects has neither.
\if :{?with_projects}
\else
insert into boards_epic_board_labels (id, epic_board_id, label_id, group_id)
select i, i, gen.perm(i, :labels), 1 from generate_series(40::bigint, 120, 40) i;
\endif

-- Epics and issues ---------------------------------------------------------------------------------------------------

-- Epic slot e has epics.id perm(e, epics) and the work item perm(e, issues). The others share 20,000 epics unevenly: 3,200 down to 250.
create table gen.epic (slot bigint primary key, id bigint, issue_id bigint, group_id bigint, iid int);
insert into gen.epic
select e, gen.perm(e, :epics), gen.perm(e, :issues), g, row_number() over (partition by g order by e)
from (
  select e, case when e <= :big_epics then 1 else 2 + floor(39 * power((e - :big_epics - 1) / 20000.0::float8, 2))::int end as g
  from generate_series(1::bigint, :epics) e
) i;
create table gen.issue (slot bigint primary key, id bigint, project_id bigint, iid int);
insert into gen.issue
select s, gen.perm(s, :issues), p, row_number() over (partition by p order by s)
from (select s, 1 + gen.pick(s, 61, :projects) as p from generate_series(1::bigint + :epics, :issues) s) i;
analyze;

-- From here on the order of the hashes has to survive the joins: look-ups by key from the left side only.
set enable_hashjoin = off;
set enable_mergejoin = off;
set enable_memoize = off;

insert into issues (id, title, author_id, project_id, created_at, updated_at, description, iid, title_html, description_html, cached_markdown_version, closed_at, state_id,
                    work_item_type_id, namespace_id, namespace_traversal_ids, relative_position)
select coalesce(i.id, e.issue_id), rtrim(t.md, '.!?:'), gen.person(o.slot, 62, e.group_id = 1), i.project_id, gen.ts(o.slot, 63), gen.ts(o.slot, 64), b.md, coalesce(i.iid, e.iid),
  rtrim(t.html, '.!?:'), b.html, 2162689, case when o.slot % 3 = 0 then gen.ts(o.slot, 65) at time zone 'UTC' end, case when o.slot % 3 = 0 then 2 else 1 end,
  case when i.id is null then 8 else 1 end, coalesce(1000 + i.project_id, e.group_id), g.traversal_ids, o.slot * 513 % 2000000
from (select s as slot from generate_series(1::bigint, :issues) s order by gen.h(s, 66)) o
left join gen.epic e on e.slot = o.slot
left join gen.issue i on i.slot = o.slot
left join gen.grp g on g.id = e.group_id
left join gen.sentence t on t.id = gen.pick(o.slot, 67, 40000)
left join gen.body b on b.id = gen.pick(o.slot, 68, 120000);

insert into epics (id, group_id, author_id, assignee_id, iid, cached_markdown_version, updated_by_id, last_edited_by_id, start_date, end_date, last_edited_at, created_at, updated_at,
                   title, title_html, description, description_html, closed_by_id, closed_at, parent_id, relative_position, state_id, confidential, color, issue_id)
select e.id, e.group_id, gen.person(o.slot, 62, e.group_id = 1), case when o.slot % 5 = 0 then gen.person(o.slot, 69, e.group_id = 1) end, e.iid, 2162689,
  case when o.slot % 2 = 0 then gen.person(o.slot, 70, e.group_id = 1) end, case when o.slot % 4 = 0 then gen.person(o.slot, 71, e.group_id = 1) end,
  case when o.slot % 3 = 0 then gen.ts(o.slot, 72)::date end, case when o.slot % 3 = 0 then gen.ts(o.slot, 72)::date + 90 end,
  case when o.slot % 4 = 0 then gen.ts(o.slot, 73) end, gen.ts(o.slot, 63), gen.ts(o.slot, 64),
  rtrim(t.md, '.!?:'), rtrim(t.html, '.!?:'), b.md, b.html,
  case when o.slot % 3 = 0 then gen.person(o.slot, 74, e.group_id = 1) end, case when o.slot % 3 = 0 then gen.ts(o.slot, 65) end, p.id,
  o.slot * 513 % 2000000, case when o.slot % 3 = 0 then 2 else 1 end, o.slot % 20 = 0, case when o.slot % 6 = 0 then null else '#1068bf' end, e.issue_id
from (select s as slot from generate_series(1::bigint, :epics) s order by gen.h(s, 75)) o
left join gen.epic e on e.slot = o.slot
left join gen.epic p on o.slot % 3 = 1 and p.group_id = e.group_id and p.slot = o.slot - 1 - gen.pick(o.slot, 76, 50)
left join gen.sentence t on t.id = gen.pick(o.slot, 67, 40000)
left join gen.body b on b.id = gen.pick(o.slot, 68, 120000);

\if :{?with_projects}
\else
insert into work_item_parent_links (id, work_item_id, work_item_parent_id, created_at, updated_at, namespace_id)
select o.slot, e.issue_id, p.issue_id, gen.ts(o.slot, 63) at time zone 'UTC', gen.ts(o.slot, 64) at time zone 'UTC', e.group_id
from (select s as slot from generate_series(1::bigint, :epics) s where s % 3 = 1 order by gen.h(s, 82)) o
left join gen.epic e on e.slot = o.slot
left join gen.epic p on p.group_id = e.group_id and p.slot = o.slot - 1 - gen.pick(o.slot, 76, 50)
where p.id is not null;
\endif

insert into epic_issues (id, epic_id, issue_id, relative_position, namespace_id)
select o.slot - :epics, e.id, i.id, o.slot, e.group_id
from (select s as slot from generate_series(1::bigint + :epics, :epics + 30000) s order by gen.h(s, 77)) o
left join gen.issue i on i.slot = o.slot
left join gen.epic e on e.slot = 1 + gen.pick(o.slot, 78, :epics);

insert into description_versions (id, created_at, updated_at, issue_id, epic_id, description, namespace_id)
select o.slot, gen.ts(o.slot, 1) at time zone 'UTC', gen.ts(o.slot, 2) at time zone 'UTC', e.issue_id, null, b.md, e.group_id
from (select s as slot from generate_series(1::bigint, 20000) s order by gen.h(s, 79)) o
left join gen.epic e on e.slot = 1 + gen.pick(o.slot, 80, :epics)
left join gen.body b on b.id = gen.pick(o.slot, 81, 120000);

-- Notes, emoji, label links, state events, events --------------------------------------------------------------------

-- The epic that a note of a group is on, by slots.
create function gen.note_epic(note bigint, big_notes bigint, big_epics bigint) returns bigint language sql immutable parallel safe
  as $$ select case when $1 <= $2 then 1 + gen.pick($1, 91, $3) else $3 + 1 + gen.pick($1, 91, 20000) end $$;

-- Three of ten notes are system notes, a seventh of the others one of six texts that bots repeat. An epic's notes hang on its work item, one of seven on the epic itself.
insert into notes (note, noteable_type, author_id, created_at, updated_at, project_id, line_code, commit_id, noteable_id, system, updated_by_id, type, "position",
                   discussion_id, note_html, cached_markdown_version, resolved_at, resolved_by_id, last_edited_at, id, namespace_id)
select case when n.system then k.md else b.md end,
  n.noteable, gen.person(n.slot, 92, n.slot <= :big_notes), gen.ts(n.slot, 93), case when n.slot % 6 = 1 then gen.ts(n.slot, 94) else gen.ts(n.slot, 93) end, i.project_id, null, null,
  case when n.noteable = 'Epic' then e.id when n.noteable = 'MergeRequest' then 1 + gen.pick(n.slot, 95, 90000) when e.id is not null then e.issue_id else i.id end,
  n.system, case when n.slot % 6 = 1 then gen.person(n.slot, 96, n.slot <= :big_notes) end,
  case when not n.system and n.slot % 3 = 1 then 'DiscussionNote' end, null,
  gen.hex40(n.slot, 97), case when n.system then k.html else b.html end, 2162689,
  case when n.noteable = 'MergeRequest' and n.slot % 4 = 1 then gen.ts(n.slot, 98) end,
  case when n.noteable = 'MergeRequest' and n.slot % 4 = 1 then gen.person(n.slot, 99, false) end,
  case when not n.system and n.slot % 6 = 1 then gen.ts(n.slot, 94) at time zone 'UTC' end,
  gen.perm(n.slot, :notes), coalesce(e.group_id, 1000 + i.project_id)
from (
  select slot, slot % 10 < 3 as system,
    case when slot <= :group_notes then case when gen.pick(slot, 100, 7) = 0 then 'Epic' else 'Issue' end
         when gen.pick(slot, 100, 19) < :merge_request_notes then 'MergeRequest' else 'Issue' end as noteable
  from (select s as slot from generate_series(1::bigint, :notes) s order by gen.h(s, 101)) o
) n
left join gen.epic e on n.slot <= :group_notes and e.slot = gen.note_epic(n.slot, :big_notes, :big_epics)
left join gen.issue i on n.slot > :group_notes and i.slot = :epics + 1 + gen.pick(n.slot, 102, 60000)
left join gen.body b on not n.system and b.id = case when gen.pick(n.slot, 108, 7) = 0 then 100 + gen.pick(n.slot, 103, 6) else gen.pick(n.slot, 103, 120000) end
left join lateral (
  select case gen.pick(n.slot, 104, 6)
      when 0 then array['changed the description', '<p dir="auto">changed the description</p>']
      when 1 then array['added ~' || x || ' label', '<p dir="auto">added <span class="gl-label" data-label="' || x || '">~' || x || '</span> label</p>']
      when 2 then array['mentioned in merge request !' || x, '<p dir="auto">mentioned in merge request <a href="/-/merge_requests/' || x || '">!' || x || '</a></p>']
      when 3 then array['assigned to @user' || x, '<p dir="auto">assigned to <a href="/user' || x || '" class="gfm gfm-project_member">@user' || x || '</a></p>']
      when 4 then array['marked this issue as related to #' || x, '<p dir="auto">marked this issue as related to <a href="/-/issues/' || x || '">#' || x || '</a></p>']
      else array['changed due date to ' || gen.ts(n.slot, 105)::date, '<p dir="auto">changed due date to ' || gen.ts(n.slot, 105)::date || '</p>']
    end as pair
  from (select 1 + gen.pick(n.slot, 106, 50000) as x) r
) p on n.system
left join lateral (select p.pair[1] as md, p.pair[2] as html) k on n.system;

insert into system_note_metadata (commit_count, action, created_at, updated_at, note_id, id, namespace_id)
select null, (array['description', 'label', 'cross_reference', 'assignee', 'relate', 'due_date'])[1 + gen.pick(o.slot, 104, 6)], gen.ts(o.slot, 93), gen.ts(o.slot, 93),
  gen.perm(o.slot, :notes), gen.perm(o.slot / 10 * 3 + o.slot % 10, :notes / 10 * 3), coalesce(e.group_id, 1001)
from (select s as slot from generate_series(1::bigint, :notes) s where s % 10 < 3 order by gen.h(s, 107)) o
left join gen.epic e on o.slot <= :group_notes and e.slot = gen.note_epic(o.slot, :big_notes, :big_epics);

-- Of a group's emoji three of eight are on notes, the others on epics, mostly through the work item.
insert into award_emoji (id, name, user_id, awardable_type, created_at, updated_at, awardable_id, namespace_id)
select gen.perm(a.slot, :emoji), (array['thumbsup', 'thumbsdown', 'rocket', 'heart', 'tada', 'eyes', 'white_check_mark', '100'])[1 + floor(8 * power(gen.share(a.slot, 111), 2))::int],
  gen.person(a.slot, 112, a.slot <= :big_emoji), a.kind, gen.ts(a.slot, 113), gen.ts(a.slot, 113),
  case a.kind when 'Note' then gen.perm(a.note, :notes) when 'Epic' then e.id when 'MergeRequest' then 1 + gen.pick(a.slot, 114, 90000) else coalesce(e.issue_id, i.id) end,
  coalesce(e.group_id, 1000 + i.project_id, 1001)
from (
  select slot,
    case when slot <= :group_emoji then (array['Note', 'Note', 'Note', 'Issue', 'Issue', 'Issue', 'Issue', 'Epic'])[1 + gen.pick(slot, 115, 8)]
         else (array['Note', 'Note', 'Issue', 'MergeRequest'])[1 + gen.pick(slot, 115, 4)] end as kind,
    case when slot <= :big_emoji then 1 + gen.pick(slot, 116, :big_notes)
         when slot <= :group_emoji then :big_notes + 1 + gen.pick(slot, 116, :group_notes - :big_notes)
         else :group_notes + 1 + gen.pick(slot, 116, :notes - :group_notes) end as note
  from (select s as slot from generate_series(1::bigint, :emoji) s order by gen.h(s, 117)) o
) a
left join gen.epic e on a.slot <= :group_emoji and e.slot = case
  when a.kind = 'Note' then gen.note_epic(a.note, :big_notes, :big_epics)
  when a.slot <= :big_emoji then 1 + gen.pick(a.slot, 118, :big_epics) else :big_epics + 1 + gen.pick(a.slot, 118, 20000) end
left join gen.issue i on a.slot > :group_emoji and a.kind = 'Issue' and i.slot = :epics + 1 + gen.pick(a.slot, 119, 60000);

insert into label_links (id, label_id, target_id, target_type, created_at, updated_at, namespace_id)
select gen.perm(k.slot, :label_links), l.id, case k.kind when 'Epic' then e.id when 'MergeRequest' then 1 + gen.pick(k.slot, 121, 90000) else coalesce(e.issue_id, i.id) end,
  k.kind, gen.ts(k.slot, 122), gen.ts(k.slot, 122), coalesce(e.group_id, 1000 + i.project_id, 1001)
from (
  select slot, case when slot <= :group_label_links then case when gen.pick(slot, 123, 8) = 0 then 'Epic' else 'Issue' end
                    when gen.pick(slot, 123, 2) = 0 then 'MergeRequest' else 'Issue' end as kind
  from (select s as slot from generate_series(1::bigint, :label_links) s order by gen.h(s, 124)) o
) k
left join gen.epic e on k.slot <= :group_label_links and e.slot = case
  when k.slot <= :big_label_links then 1 + gen.pick(k.slot, 125, :big_epics) else :big_epics + 1 + gen.pick(k.slot, 125, 20000) end
left join gen.issue i on k.slot > :group_label_links and k.kind = 'Issue' and i.slot = :epics + 1 + gen.pick(k.slot, 126, 60000)
left join gen.label l on l.slot = case
  when e.group_id = 1 then 1 + gen.pick(k.slot, 127, :big_labels)
  when e.group_id > 1 then :big_labels + e.group_id - 1 + 39 * gen.pick(k.slot, 127, 100)
  else :group_labels + 1 + gen.pick(k.slot, 127, 400 * 20) end;

insert into resource_state_events (id, user_id, issue_id, merge_request_id, created_at, state, epic_id, namespace_id)
select gen.perm(k.slot, :state_events), gen.person(k.slot, 131, k.slot <= :big_state_events),
  case when k.kind = 1 then coalesce(e.issue_id, i.id) end, case when k.kind = 2 then 1 + gen.pick(k.slot, 132, 90000) end, gen.ts(k.slot, 133) at time zone 'UTC',
  (array[1, 2, 2, 5])[1 + gen.pick(k.slot, 134, 4)], case when k.kind = 3 then e.id end, coalesce(e.group_id, 1000 + i.project_id, 1001)
from (
  select slot, case when slot <= :group_state_events then case when gen.pick(slot, 135, 8) = 0 then 3 else 1 end else 1 + gen.pick(slot, 135, 2) end as kind
  from (select s as slot from generate_series(1::bigint, :state_events) s order by gen.h(s, 136)) o
) k
left join gen.epic e on k.slot <= :group_state_events and e.slot = case
  when k.slot <= :big_state_events then 1 + gen.pick(k.slot, 137, :big_epics) else :big_epics + 1 + gen.pick(k.slot, 137, 20000) end
left join gen.issue i on k.slot > :group_state_events and k.kind = 1 and i.slot = :epics + 1 + gen.pick(k.slot, 138, 60000);

-- Of a group's events seven of ten are comments, one of fifty is about a milestone, the others about epics.
-- A project's: pushes first (with a payload each), then comments, merge requests, issues, wiki pages, joins.
insert into events (project_id, author_id, created_at, updated_at, action, target_type, group_id, fingerprint, id, target_id)
select case when v.slot > :group_events then 1 + gen.pick(v.slot, 141, :projects) end, gen.person(v.slot, 142, v.slot <= :big_events),
  gen.ts(v.slot, 143) at time zone 'UTC', gen.ts(v.slot, 143) at time zone 'UTC',
  case v.kind when 'Push' then 5 when 'Join' then 8 when 'Note' then 6 when 'MergeRequest' then (array[1, 3, 7, 12])[1 + gen.pick(v.slot, 144, 4)]
    when 'WikiPage::Meta' then 2 else (array[1, 1, 2, 3, 4])[1 + gen.pick(v.slot, 144, 5)] end,
  case when v.kind not in ('Push', 'Join') then v.kind end,
  case when v.kind = 'Milestone' then m.group_id else e.group_id end,
  case when v.kind = 'WikiPage::Meta' then substr(sha256(int8send(v.slot)), 1, 20) end,
  gen.perm(v.slot, :events),
  case v.kind when 'Note' then gen.perm(v.note, :notes) when 'Epic' then e.id when 'Milestone' then m.id when 'MergeRequest' then 1 + gen.pick(v.slot, 145, 90000)
    when 'WikiPage::Meta' then 1 + gen.pick(v.slot, 145, 5000) when 'Push' then null when 'Join' then null else coalesce(e.issue_id, i.id) end
from (
  select slot,
    case when slot <= :group_events then
           case when p < 70 then 'Note' when p < 72 then 'Milestone' when p < 85 then 'WorkItem' when p < 96 then 'Issue' else 'Epic' end
         when slot <= :group_events + :pushes then 'Push'
         else case when p < 58 then 'Note' when p < 84 then 'MergeRequest' when p < 96 then 'Issue' when p < 98 then 'WikiPage::Meta' else 'Join' end end as kind,
    case when slot <= :big_events then 1 + gen.pick(slot, 146, :big_notes)
         when slot <= :group_events then :big_notes + 1 + gen.pick(slot, 146, :group_notes - :big_notes)
         else :group_notes + 1 + gen.pick(slot, 146, :notes - :group_notes) end as note
  from (select s as slot, gen.pick(s, 147, 100) as p from generate_series(1::bigint, :events) s order by gen.h(s, 148)) o
) v
left join gen.epic e on v.slot <= :group_events and e.slot = case
  when v.kind = 'Note' then gen.note_epic(v.note, :big_notes, :big_epics)
  when v.slot <= :big_events then 1 + gen.pick(v.slot, 149, :big_epics) else :big_epics + 1 + gen.pick(v.slot, 149, 20000) end
left join gen.issue i on v.slot > :group_events and v.kind = 'Issue' and i.slot = :epics + 1 + gen.pick(v.slot, 150, 60000)
left join gen.milestone m on v.kind = 'Milestone' and m.slot = case
  when v.slot <= :big_events then 1 + gen.pick(v.slot, 151, :big_milestones) else :big_milestones + 1 + gen.pick(v.slot, 151, 39 * 20) end;

insert into push_event_payloads (commit_count, action, ref_type, commit_from, commit_to, ref, commit_title, event_id, project_id)
select 1 + gen.pick(o.slot, 161, 8), (array[0, 1, 2, 2, 2])[1 + gen.pick(o.slot, 162, 5)], case when gen.pick(o.slot, 163, 12) = 0 then 1 else 0 end,
  substr(sha256(int8send(o.slot)), 1, 20), substr(sha256(int8send(o.slot + 10000000)), 1, 20), 'feature/' || w.word || '-' || o.slot % 5000, left(t.md, 70),
  gen.perm(o.slot, :events), 1 + gen.pick(o.slot, 141, :projects)
from (select s as slot from generate_series(1::bigint + :group_events, :group_events + :pushes) s order by gen.h(s, 164)) o
left join gen.word w on w.id = gen.pick(o.slot, 165, 4000)
left join gen.sentence t on t.id = gen.pick(o.slot, 166, 40000);

-- Rows that no group export reads ------------------------------------------------------------------------------------

insert into internal_ids (id, project_id, usage, last_value, namespace_id)
select n * 1000 + i, case when n > 0 then i end, n, 1000 + i, case when n = 0 then i end
from generate_series(0::bigint, 3) n cross join lateral generate_series(1::bigint, case when n = 0 then 40 else :projects end) i order by gen.h(n * 1000 + i, 171);

insert into uploads (id, size, model_id, uploaded_by_user_id, namespace_id, project_id, created_at, path, checksum, model_type, uploader, mount_point, secret)
select i, 1000 + gen.pick(i, 172, 5000000), gen.person(i, 173, false) , gen.person(i, 173, false), null, case when i % 3 = 0 then 1 + i % :projects end, gen.ts(i, 174),
  'uploads/' || gen.hex40(i, 1) || '/file.png', encode(sha256(int8send(i)), 'hex'), case i % 3 when 0 then 'Project' when 1 then 'Namespace' else 'User' end,
  'FileUploader', null, left(gen.hex40(i, 2), 32)
from generate_series(1::bigint, 20000) i order by gen.h(i, 175);

\if :{?with_projects}
  \ir generate-projects.sql
\endif

-- Indexes and sequences ----------------------------------------------------------------------------------------------

do $$
declare one record;
begin
  for one in select made from gen.postponed order by step, made loop
    execute one.made;
  end loop;
  for one in
    select d.refobjid::regclass as owner, a.attname as name, s.oid::regclass as sequence
    from pg_class s join pg_depend d on d.objid = s.oid and d.classid = 'pg_class'::regclass and d.deptype = 'a'
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where s.relkind = 'S' and s.relnamespace = 'public'::regnamespace
  loop
    execute format('select setval(%L, coalesce(max(%I), 1)) from %s', one.sequence, one.name, one.owner);
  end loop;
end $$;

drop schema gen cascade;
commit;
