-- The tables of projects, for an instance with projects; generate.sql takes this file in and explains what it uses.
-- Diffs of merge requests and CI are about 60 % of the bytes of a dump.
--
-- As in GitLab, what is written in one statement lies together: the commits and files of a diff, the stages and the jobs
-- of a pipeline. Otherwise neither ids nor the heap show which rows belong together. Every project has much the same.

set enable_hashjoin = on;
set enable_mergejoin = on;

select 90000 as merge_requests,     -- generate.sql's emoji and the like are on as many
       150000 as mr_notes,
       100000 as pipelines,
       60000 as commit_users
\gset

-- Settings, branches, releases ---------------------------------------------------------------------------------------

insert into project_settings (project_id, created_at, updated_at, squash_option)
select id, gen.ts(id, 1) at time zone 'UTC', gen.ts(id, 2) at time zone 'UTC', id % 4 from gen.project order by gen.h(id, 201);

insert into project_features (id, project_id, merge_requests_access_level, issues_access_level, wiki_access_level, builds_access_level, created_at, updated_at,
                              pages_access_level, forking_access_level, metrics_dashboard_access_level, model_experiments_access_level, model_registry_access_level)
select gen.perm(id, :projects), id, 20, 20, case when id % 3 = 0 then 0 else 20 end, 20, gen.ts(id, 1), gen.ts(id, 2), 10, 20, 10, 20, 20
from gen.project order by gen.h(id, 202);

insert into project_ci_cd_settings (id, project_id, default_git_depth, forward_deployment_enabled)
select gen.perm(id, :projects), id, 20, true from gen.project order by gen.h(id, 203);
insert into project_auto_devops (id, project_id, created_at, updated_at, enabled)
select id, id, gen.ts(id, 1) at time zone 'UTC', gen.ts(id, 2) at time zone 'UTC', id % 2 = 0 from gen.project where id % 4 = 0;
insert into container_expiration_policies (project_id, created_at, updated_at, next_run_at)
select id, gen.ts(id, 1) at time zone 'UTC', gen.ts(id, 2) at time zone 'UTC', gen.ts(id, 3) at time zone 'UTC' from gen.project order by gen.h(id, 204);

insert into protected_branches (id, project_id, name, created_at, updated_at)
select p.id * 3 + n, p.id, (array['main', 'release/*', 'stable'])[1 + n], gen.ts(p.id, 1), gen.ts(p.id, 2)
from gen.project p cross join generate_series(0, 2) n order by gen.h(p.id * 3 + n, 205);
insert into protected_branch_merge_access_levels (id, protected_branch_id, access_level, created_at, updated_at, protected_branch_project_id)
select id, id, 30 + 10 * (id % 2), created_at, updated_at, project_id from protected_branches;
insert into protected_branch_push_access_levels (id, protected_branch_id, access_level, created_at, updated_at, protected_branch_project_id)
select id, id, 40, created_at, updated_at, project_id from protected_branches;

insert into releases (id, tag, description, project_id, created_at, updated_at, description_html, cached_markdown_version, author_id, name, sha, released_at)
select gen.perm(s, 4000), 'v1.' || s, b.md, 1 + s % :projects, gen.ts(s, 211), gen.ts(s, 212), b.html, 2162689, gen.person(s, 213, false), 'Version 1.' || s,
  gen.hex40(s, 214), gen.ts(s, 211) at time zone 'UTC'
from generate_series(1::bigint, 4000) s join gen.body b on b.id = gen.pick(s, 215, 120000) order by gen.h(s, 216);
insert into release_links (id, release_id, url, name, created_at, updated_at, link_type, project_id)
select s, gen.perm(1 + s % 4000, 4000), 'https://downloads.example.com/' || gen.hex40(s, 217) || '.tar.gz', 'Package ' || s, gen.ts(s, 218) at time zone 'UTC',
  gen.ts(s, 218) at time zone 'UTC', s % 4, 1 + (1 + s % 4000) % :projects
from generate_series(1::bigint, 6000) s order by gen.h(s, 219);

insert into ci_pipeline_schedules (id, description, ref, cron, cron_timezone, next_run_at, project_id, owner_id, active, created_at, updated_at)
select s, 'Nightly ' || s, 'refs/heads/main', '0 4 * * *', 'UTC', gen.ts(s, 221), 1 + s % :projects, gen.person(s, 222, false), s % 5 > 0, gen.ts(s, 223), gen.ts(s, 224)
from generate_series(1::bigint, 800) s order by gen.h(s, 225);

-- Merge requests -----------------------------------------------------------------------------------------------------

-- A merge request's slot is its id, commits and files are those of its last version.
create table gen.mr (id bigint primary key, project_id bigint, iid int, versions int, commits int, files int);
insert into gen.mr
select id, project_id, row_number() over (partition by project_id order by id),
  1 + (gen.pick(id, 231, 3) = 0)::int + (gen.pick(id, 231, 30) = 0)::int, 1 + floor(9 * power(gen.share(id, 232), 3))::int, 1 + floor(14 * power(gen.share(id, 233), 3.5))::int
from (select s as id, 1 + gen.pick(s, 234, :projects) as project_id from generate_series(1::bigint, :merge_requests) s) i;

-- One of five has a diff of the merge's result (type 2) too. An id grows with the version.
create table gen.diff (slot bigint primary key, id bigint unique, mr bigint, version int, kind int, project_id bigint, commits int, files int);
insert into gen.diff
select row_number() over (), gen.perm(m.id, :merge_requests) * 8 + v, m.id, v, 1 + (v = 7)::int, m.project_id, case when v = 7 then 0 else m.commits end, case when v = 7 then (m.files + 1) / 2 else m.files end
from gen.mr m cross join generate_series(1, 7) v
where v <= m.versions or (v = 7 and gen.pick(m.id, 235, 5) < 1);

-- 50,000 paths of files, 30,000 lines of code, and 20,000 patches of them.
create table gen.path (id int primary key, path text not null);
insert into gen.path
select p, (array['app/models/', 'app/services/', 'lib/', 'spec/', 'ee/app/', 'doc/', 'config/'])[1 + gen.pick(p, 341, 7)] || a.word || '/' || b.word || '_' || gen.pick(p, 342, 100)
  || (array['.rb', '.vue', '.js', '.md', '.yml', '.go'])[1 + gen.pick(p, 343, 6)]
from generate_series(0, 49999) p
join gen.word a on a.id = 300 + gen.pick(p, 344, 3700) join gen.word b on b.id = 300 + gen.pick(p, 345, 3700);
create table gen.code (id int primary key, line text not null);
insert into gen.code
select c, repeat('  ', gen.pick(c, 241, 6)::int) || case gen.pick(c, 242, 8)
    when 0 then 'def ' || a.word || '_' || b.word || '(' || d.word || ', ' || e.word || ': nil)'
    when 1 then 'return unless ' || a.word || '.' || b.word || '?'
    when 2 then a.word || ' = ' || b.word || '.' || d.word || '("' || e.word || '")'
    when 3 then '# ' || left(s.md, 90)
    when 4 then 'end'
    when 5 then 'expect(' || a.word || '.' || b.word || ').to eq(' || gen.pick(c, 243, 1000) || ')'
    when 6 then E'\t' || a.word || E'\\n' || b.word || ' += ' || d.word || '[' || gen.pick(c, 244, 64) || '] * ' || e.word
    else ':' || a.word || ' => "' || b.word || '/' || d.word || '", '
  end
from generate_series(0, 29999) c
join gen.word a on a.id = 300 + gen.pick(c, 245, 3700) join gen.word b on b.id = 300 + gen.pick(c, 246, 3700)
join gen.word d on d.id = gen.pick(c, 247, 4000) join gen.word e on e.id = gen.pick(c, 248, 4000)
join gen.sentence s on s.id = gen.pick(c, 249, 40000);
create table gen.patch (id int primary key, diff text not null);
insert into gen.patch
select p, '@@ -' || first || ',' || count(*) || ' +' || first || ',' || count(*) + 2 || E' @@ class Patch\n'
  || string_agg((array[' ', ' ', '+', '+', '-'])[1 + gen.pick(p * 512 + n, 251, 5)] || c.line, E'\n' order by n) || E'\n'
from (
  select p, n, 1 + gen.pick(p, 252, 900) as first
  from generate_series(0, 19999) p
  cross join lateral generate_series(1, case when gen.pick(p, 253, 100) = 0 then 400 else 4 + floor(70 * power(gen.share(p, 254), 2.6))::int end) n
) i
join gen.code c on c.id = gen.pick(p * 512 + n, 255, 30000)
group by p, first;
analyze gen.mr, gen.diff, gen.path, gen.code, gen.patch;

insert into merge_request_diff_commit_users (id, name, email, organization_id)
select u, initcap(a.word) || ' ' || initcap(b.word), 'committer' || u || '@example.com', 1
from generate_series(1::bigint, :commit_users) u
join gen.word a on a.id = 300 + gen.pick(u, 261, 3700) join gen.word b on b.id = 300 + gen.pick(u, 262, 3700) order by gen.h(u, 263);

set enable_hashjoin = off;
set enable_mergejoin = off;

insert into merge_requests (id, target_branch, source_branch, source_project_id, author_id, title, created_at, updated_at, milestone_id, merge_status, target_project_id, iid,
                            description, updated_by_id, merge_params, merge_user_id, merge_commit_sha, title_html, description_html, squash, cached_markdown_version,
                            latest_merge_request_diff_id, state_id, merge_ref_sha, draft, prepared_at, head_pipeline_id)
select m.id, 'main', m.id || '-' || w.word, m.project_id, gen.person(m.id, 271, false), rtrim(t.md, '.!?:'), gen.ts(m.id, 272), gen.ts(m.id, 273), null, 'can_be_merged', m.project_id, m.iid,
  b.md, null, E'---\nforce_remove_source_branch: ''' || m.id % 2 || E'''\n', case when k.merged then gen.person(m.id, 274, false) end, case when k.merged then gen.hex40(m.id, 275) end,
  rtrim(t.html, '.!?:'), b.html, m.id % 2 = 0, 2162689, gen.perm(m.id, :merge_requests) * 8 + m.versions,
  case when k.merged then 3 when m.id % 9 = 0 then 1 else 2 end, substr(sha256(int8send(m.id)), 1, 20), false, gen.ts(m.id, 272) at time zone 'UTC', null
from (select s as slot from generate_series(1::bigint, :merge_requests) s order by gen.h(s, 276)) o
left join gen.mr m on m.id = o.slot
left join lateral (select m.id % 4 > 0 as merged) k on true
left join gen.word w on w.id = 300 + gen.pick(m.id, 277, 3700)
left join gen.sentence t on t.id = gen.pick(m.id, 278, 40000)
left join gen.body b on b.id = gen.pick(m.id, 279, 120000);

insert into merge_request_metrics (id, merge_request_id, latest_build_started_at, latest_build_finished_at, merged_at, created_at, updated_at, merged_by_id, first_comment_at,
                                   first_commit_at, last_commit_at, diff_size, modified_paths_size, commits_count, added_lines, removed_lines, target_project_id)
select gen.perm(m.id, :merge_requests), m.id, gen.ts(m.id, 281), gen.ts(m.id, 282), case when m.id % 4 > 0 then gen.ts(m.id, 283) end, gen.ts(m.id, 272), gen.ts(m.id, 273),
  case when m.id % 4 > 0 then gen.person(m.id, 274, false) end, gen.ts(m.id, 284) at time zone 'UTC', gen.ts(m.id, 285) at time zone 'UTC', gen.ts(m.id, 286) at time zone 'UTC',
  m.files * 20, m.files, m.commits, gen.pick(m.id, 287, 900), gen.pick(m.id, 288, 400), m.project_id
from gen.mr m order by gen.h(m.id, 289);

insert into merge_request_assignees (id, user_id, merge_request_id, created_at, project_id)
select gen.perm(m.id, :merge_requests), gen.person(m.id, 291, false), m.id, gen.ts(m.id, 272) at time zone 'UTC', m.project_id from gen.mr m where m.id % 5 > 0 order by gen.h(m.id, 292);
insert into merge_request_reviewers (id, user_id, merge_request_id, created_at, state, project_id)
select gen.perm(m.id, :merge_requests), gen.person(m.id, 293, false), m.id, gen.ts(m.id, 294) at time zone 'UTC', m.id % 6, m.project_id from gen.mr m order by gen.h(m.id, 295);
insert into approvals (id, merge_request_id, user_id, created_at, updated_at, patch_id_sha, project_id)
select gen.perm(m.id, :merge_requests), m.id, gen.person(m.id, 293, false), gen.ts(m.id, 296), gen.ts(m.id, 296), substr(sha256(int8send(m.id)), 1, 20), m.project_id
from gen.mr m where m.id % 3 > 0 order by gen.h(m.id, 297);

insert into issue_assignees (user_id, issue_id, namespace_id)
select gen.person(i.slot, 301, false), i.id, 1000 + i.project_id from gen.issue i where i.slot % 3 > 0 order by gen.h(i.slot, 302);
insert into timelogs (id, time_spent, user_id, created_at, updated_at, issue_id, spent_at, project_id, namespace_id)
select i.slot, 900 * (1 + i.slot % 30), gen.person(i.slot, 303, false), gen.ts(i.slot, 304), gen.ts(i.slot, 304), i.id, gen.ts(i.slot, 304), i.project_id, 1000 + i.project_id
from gen.issue i where i.slot % 6 = 0 order by gen.h(i.slot, 305);
insert into resource_label_events (id, action, issue_id, merge_request_id, label_id, user_id, created_at, namespace_id)
select gen.perm(e.slot, 120000), 1 + (e.slot % 5 = 0)::int, i.id, m.id, l.id, gen.person(e.slot, 306, false), gen.ts(e.slot, 307) at time zone 'UTC', 1000 + coalesce(i.project_id, m.project_id)
from (select s as slot from generate_series(1::bigint, 120000) s order by gen.h(s, 308)) e
left join gen.issue i on e.slot % 2 = 0 and i.slot = :epics + 1 + gen.pick(e.slot, 309, 60000)
left join gen.mr m on e.slot % 2 = 1 and m.id = 1 + gen.pick(e.slot, 309, :merge_requests)
left join gen.label l on l.slot = :group_labels + 1 + gen.pick(e.slot, 310, 400 * 20);

-- Diffs --------------------------------------------------------------------------------------------------------------

insert into merge_request_diffs (id, state, merge_request_id, created_at, updated_at, base_commit_sha, real_size, head_commit_sha, start_commit_sha, commits_count, external_diff_store,
                                 stored_externally, files_count, sorted, diff_type, patch_id_sha, project_id)
select d.id, 'collected', d.mr, gen.ts(d.slot, 321), gen.ts(d.slot, 322), gen.hex40(d.mr, 323), d.files::text, gen.hex40(d.slot, 324), gen.hex40(d.mr, 325), d.commits, 1,
  null, d.files, true, d.kind, substr(sha256(int8send(d.slot)), 1, 20), d.project_id
from gen.diff d order by gen.h(d.slot, 326);

-- What was committed before GitLab had merge_request_commits_metadata is in the row itself: that of every second merge
-- request. The others' rows share the metadata between versions of the diff.
insert into merge_request_diff_commits (authored_date, committed_date, merge_request_diff_id, relative_order, sha, message, trailers, commit_author_id, committer_id,
                                        merge_request_commits_metadata_id, project_id)
select case when k.own then gen.ts(k.commit, 331) end, case when k.own then gen.ts(k.commit, 332) end, d.id, n, case when k.own then substr(sha256(int8send(k.commit)), 1, 20) end,
  case when k.own then t.md || E'\n\n' || left(b.md, 400) end, '{}', case when k.own then 1 + gen.pick(k.commit, 333, :commit_users) end,
  case when k.own then 1 + gen.pick(k.commit, 333, :commit_users) end, case when not k.own then gen.perm(k.commit, :merge_requests * 16) end, d.project_id
from (select s as slot from generate_series(1::bigint, (select count(*) from gen.diff)) s order by gen.h(s, 334)) o
left join gen.diff d on d.slot = o.slot
cross join lateral generate_series(0, d.commits - 1) n
cross join lateral (select d.mr * 16 - n as commit, d.mr % 2 = 0 as own) k
left join gen.sentence t on t.id = gen.pick(k.commit, 335, 40000)
left join gen.body b on b.id = gen.pick(k.commit, 336, 120000);

insert into merge_request_commits_metadata (authored_date, committed_date, id, project_id, commit_author_id, committer_id, sha, message)
select gen.ts(k.commit, 331), gen.ts(k.commit, 332), gen.perm(k.commit, :merge_requests * 16), m.project_id, 1 + gen.pick(k.commit, 333, :commit_users),
  1 + gen.pick(k.commit, 333, :commit_users), substr(sha256(int8send(k.commit)), 1, 20), t.md || E'\n\n' || left(b.md, 400)
from (select s as slot from generate_series(1::bigint, :merge_requests) s where s % 2 = 1 order by gen.h(s, 337)) o
left join gen.mr m on m.id = o.slot
cross join lateral generate_series(0, m.commits - 1) n
cross join lateral (select m.id * 16 - n as commit) k
left join gen.sentence t on t.id = gen.pick(k.commit, 335, 40000)
left join gen.body b on b.id = gen.pick(k.commit, 336, 120000);

-- One of fifty is binary, in base64, one of a hundred too large.
insert into merge_request_diff_files (merge_request_diff_id, relative_order, new_file, renamed_file, deleted_file, too_large, a_mode, b_mode, new_path, old_path, diff, "binary",
                                      generated, project_id)
select d.id, n, k.kind between 10 and 20, false, k.kind in (5, 6), k.kind = 4, case when k.kind between 10 and 20 then '0' else '100644' end, '100644', p.path, p.path,
  case when k.kind = 4 then '' when k.kind in (1, 2) then encode(substr(sha256(int8send(k.file)) || convert_to(t.diff, 'UTF8'), 1, 2000), 'base64') else t.diff end,
  k.kind in (1, 2), false, d.project_id
from (select s as slot from generate_series(1::bigint, (select count(*) from gen.diff)) s order by gen.h(s, 346)) o
left join gen.diff d on d.slot = o.slot
cross join lateral generate_series(0, d.files - 1) n
cross join lateral (select d.slot * 32 + n as file, gen.pick(d.slot * 32 + n, 347, 100) as kind) k
left join gen.path p on p.id = gen.pick(d.mr * 32 + n, 349, 50000)
left join gen.patch t on t.id = gen.pick(k.file, 348, 20000);

-- Notes of merge requests --------------------------------------------------------------------------------------------

-- Three of ten are system notes, as many are comments on a line of a diff.
create function gen.yaml(i bigint, file text, head bigint) returns text language sql stable parallel safe
  as $$ select E'--- !ruby/object:Gitlab::Diff::Position\nattributes:\n  :base_sha: ' || gen.hex40($1, 351) || E'\n  :start_sha: ' || gen.hex40($1, 352) || E'\n  :head_sha: '
          || gen.hex40($3, 353) || E'\n  :old_path: ' || $2 || E'\n  :new_path: ' || $2 || E'\n  :position_type: text\n  :old_line:\n  :new_line: ' || 1 + gen.pick($1, 354, 900)
          || E'\n  :line_range:\n    start:\n      line_code: ' || gen.hex40($1, 355) || E'_10_12\n      type: new\n      old_line:\n      new_line: ' || 1 + gen.pick($1, 354, 900)
          || E'\n    end:\n      line_code: ' || gen.hex40($1, 355) || E'_10_13\n      type: new\n      old_line:\n      new_line: ' || 2 + gen.pick($1, 354, 900)
          || E'\n  :ignore_whitespace_change: false\n' $$;
insert into notes (note, noteable_type, author_id, created_at, updated_at, project_id, line_code, noteable_id, system, type, "position", original_position, change_position,
                   discussion_id, note_html, cached_markdown_version, resolved_at, resolved_by_id, id, namespace_id)
select case when k.kind < 3 then 'changed this line in version ' || o.slot % 9 else b.md end, 'MergeRequest', gen.person(o.slot, 361, false), gen.ts(o.slot, 362), gen.ts(o.slot, 362),
  m.project_id, case when k.kind > 6 then gen.hex40(o.slot, 355) || '_10_12' end, m.id, k.kind < 3, case when k.kind > 6 then 'DiffNote' when k.kind = 6 then 'DiscussionNote' end,
  case when k.kind > 6 then gen.yaml(o.slot, p.path, o.slot) end, case when k.kind > 6 then gen.yaml(o.slot, p.path, o.slot + 1) end,
  case when k.kind = 9 and o.slot % 3 = 0 then gen.yaml(o.slot, p.path, o.slot + 2) end,
  gen.hex40(o.slot, 363), case when k.kind < 3 then '<p dir="auto">changed this line in version ' || o.slot % 9 || '</p>' else b.html end, 2162689,
  case when k.kind > 7 then gen.ts(o.slot, 364) end, case when k.kind > 7 then gen.person(o.slot, 365, false) end, :notes + gen.perm(o.slot, :mr_notes), 1000 + m.project_id
from (select s as slot from generate_series(1::bigint, :mr_notes) s order by gen.h(s, 366)) o
cross join lateral (select o.slot % 10 as kind) k
left join gen.mr m on m.id = 1 + gen.pick(o.slot, 367, :merge_requests)
left join gen.path p on k.kind > 6 and p.id = gen.pick(m.id * 32, 349, 50000)
left join gen.body b on b.id = gen.pick(o.slot, 368, 120000);

insert into system_note_metadata (commit_count, action, created_at, updated_at, note_id, id, namespace_id)
select null, 'outdated', gen.ts(s, 362), gen.ts(s, 362), :notes + gen.perm(s, :mr_notes), :notes + s, 1001
from generate_series(1::bigint, :mr_notes) s where s % 10 < 3 order by gen.h(s, 371);
insert into note_diff_files (id, diff, new_file, renamed_file, deleted_file, a_mode, b_mode, new_path, old_path, diff_note_id, namespace_id)
select gen.perm(o.slot, :mr_notes), left(t.diff, 900), false, false, false, '100644', '100644', p.path, p.path, :notes + gen.perm(o.slot, :mr_notes), 1001
from (select s as slot from generate_series(1::bigint, :mr_notes) s where s % 10 > 6 order by gen.h(s, 372)) o
left join gen.path p on p.id = gen.pick((1 + gen.pick(o.slot, 367, :merge_requests)) * 32, 349, 50000)
left join gen.patch t on t.id = gen.pick(o.slot, 373, 20000);
insert into suggestions (id, relative_order, applied, commit_id, from_content, to_content, note_id, namespace_id)
select o.slot, 0, o.slot % 3 = 0, null, a.line || E'\n', b.line || E'\n', :notes + gen.perm(o.slot, :mr_notes), 1001
from (select s as slot from generate_series(1::bigint, :mr_notes) s where s % 100 = 7 order by gen.h(s, 374)) o
left join gen.code a on a.id = gen.pick(o.slot, 375, 30000)
left join gen.code b on b.id = gen.pick(o.slot, 376, 30000);

-- CI -----------------------------------------------------------------------------------------------------------------

-- Three fifths are of a merge request; one of ten is another pipeline's child. The older an id, the lower its partition.
create table gen.pipeline (slot bigint primary key, id bigint, project_id bigint, iid int, mr bigint, partition_id bigint, stages int);
insert into gen.pipeline
select s, id, project_id, row_number() over (partition by project_id order by id), mr, case when id <= 0.4 * :pipelines then 100 when id <= 0.7 * :pipelines then 101 else 102 end,
  1 + gen.pick(s, 381, 5)
from (
  select s, gen.perm(s, :pipelines) as id, coalesce(m.project_id, 1 + gen.pick(s, 382, :projects)) as project_id, m.id as mr
  from generate_series(1::bigint, :pipelines) s left join gen.mr m on gen.pick(s, 383, 5) < 3 and m.id = 1 + gen.pick(s, 384, :merge_requests)
) i;
analyze gen.pipeline;

insert into p_ci_pipelines (ref, sha, before_sha, created_at, updated_at, tag, committed_at, project_id, status, started_at, finished_at, duration, user_id, source, config_source,
                            protected, iid, merge_request_id, source_sha, target_sha, ci_ref_id, locked, partition_id, id)
select case when p.mr is null then 'main' else 'refs/merge-requests/' || p.mr || '/merge' end, gen.hex40(p.slot, 391), repeat('0', 40), gen.ts(p.slot, 392), gen.ts(p.slot, 393), false,
  gen.ts(p.slot, 394), p.project_id, (array['success', 'success', 'failed', 'canceled'])[1 + gen.pick(p.slot, 395, 4)], gen.ts(p.slot, 396), gen.ts(p.slot, 397),
  gen.pick(p.slot, 398, 7200), gen.person(p.slot, 399, false), case when p.slot % 10 = 0 then 12 when p.mr is null then 1 else 10 end, 1, p.mr is null, p.iid, p.mr,
  case when p.mr is not null then substr(sha256(int8send(p.slot)), 1, 20) end, case when p.mr is not null then substr(sha256(int8send(p.slot + 1)), 1, 20) end,
  p.slot % 5000, 0, p.partition_id, p.id
from (select s as slot from generate_series(1::bigint, :pipelines) s order by gen.h(s, 400)) o
left join gen.pipeline p on p.slot = o.slot;

insert into p_ci_stages (project_id, created_at, updated_at, name, status, lock_version, "position", id, partition_id, pipeline_id)
select p.project_id, gen.ts(p.slot, 401), gen.ts(p.slot, 402), (array['prepare', 'build', 'test', 'review', 'deploy'])[1 + n], 3, 2, n, p.id * 8 + n, p.partition_id, p.id
from (select s as slot from generate_series(1::bigint, :pipelines) s order by gen.h(s, 403)) o
left join gen.pipeline p on p.slot = o.slot
cross join lateral generate_series(0, p.stages - 1) n;

insert into p_ci_builds (status, finished_at, created_at, updated_at, started_at, name, allow_failure, stage_idx, tag, ref, type, artifacts_expire_at, environment, "when", queued_at,
                         lock_version, retried, protected, failure_reason, token_encrypted, processed, scheduling_type, id, stage_id, partition_id, commit_id, project_id, runner_id,
                         user_id, timeout, timeout_source)
select (array['success', 'success', 'success', 'failed', 'skipped'])[1 + gen.pick(k.job, 411, 5)], gen.ts(k.job, 412), gen.ts(p.slot, 392), gen.ts(k.job, 413), gen.ts(k.job, 414),
  (array['rspec', 'jest', 'lint', 'compile', 'docs', 'pages', 'qa'])[1 + gen.pick(k.job, 415, 7)] || ' ' || w.word || ' ' || 1 + n || '/' || 1 + l.last, k.job % 9 = 0, g, false,
  case when p.mr is null then 'main' else 'refs/merge-requests/' || p.mr || '/merge' end, case when k.job % 40 = 0 then 'Ci::Bridge' when k.job % 50 = 1 then 'GenericCommitStatus' else 'Ci::Build' end,
  gen.ts(k.job, 416), case when k.job % 20 = 0 then 'review/' || w.word end, 'on_success', gen.ts(k.job, 417), 5, false, p.mr is null, case when k.job % 30 = 0 then 1 end,
  '5_' || encode(sha256(int8send(k.job)), 'base64'), true, 0, k.job, p.id * 8 + g, p.partition_id, p.id, p.project_id, 1 + k.job % 300, gen.person(p.slot, 399, false), 3600, 2
from (select s as slot from generate_series(1::bigint, :pipelines) s order by gen.h(s, 418)) o
left join gen.pipeline p on p.slot = o.slot
cross join lateral generate_series(0, p.stages - 1) g
cross join lateral (select floor(9 * power(gen.share(p.slot * 8 + g, 419), 1.6))::int as last) l
cross join lateral generate_series(0, l.last) n
cross join lateral (select p.id * 64 + g * 10 + n as job) k
left join gen.word w on w.id = 300 + gen.pick(k.job, 420, 3700);

insert into ci_pipeline_metadata (project_id, pipeline_id, name, partition_id)
select p.project_id, p.id, 'Pipeline of ' || p.iid, p.partition_id from gen.pipeline p where p.slot % 4 = 0 order by gen.h(p.slot, 421);
