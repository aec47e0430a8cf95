-- entity: mediawiki.mwuser
CREATE SCHEMA mediawiki;
CREATE TABLE mediawiki.mwuser (user_id integer PRIMARY KEY, user_name text NOT NULL UNIQUE);
CREATE TABLE mediawiki.user_groups (ug_user integer REFERENCES mediawiki.mwuser, ug_group text NOT NULL, UNIQUE (ug_user, ug_group));
CREATE TABLE mediawiki.page (page_id integer PRIMARY KEY, page_namespace smallint NOT NULL, page_title text NOT NULL);
CREATE TABLE mediawiki.revision (rev_id integer NOT NULL UNIQUE, rev_page integer REFERENCES mediawiki.page,
  rev_user integer NOT NULL REFERENCES mediawiki.mwuser, rev_timestamp timestamptz NOT NULL);
CREATE TABLE mediawiki.archive (ar_id integer PRIMARY KEY, ar_user integer NOT NULL REFERENCES mediawiki.mwuser, ar_title text NOT NULL);
CREATE TABLE mediawiki.pagelinks (pl_from integer NOT NULL REFERENCES mediawiki.page, pl_namespace smallint NOT NULL, pl_title text NOT NULL);
CREATE TABLE mediawiki.image (img_name text PRIMARY KEY, img_user integer REFERENCES mediawiki.mwuser, img_size integer NOT NULL);
CREATE TABLE mediawiki.oldimage (oi_name text NOT NULL REFERENCES mediawiki.image, oi_archive_name text NOT NULL,
  oi_user integer REFERENCES mediawiki.mwuser);
CREATE TABLE mediawiki.ipblocks (ipb_id integer PRIMARY KEY, ipb_user integer REFERENCES mediawiki.mwuser,
  ipb_by integer NOT NULL REFERENCES mediawiki.mwuser, ipb_parent_block_id integer REFERENCES mediawiki.ipblocks);
CREATE TABLE mediawiki.watchlist (wl_user integer NOT NULL REFERENCES mediawiki.mwuser, wl_title text NOT NULL,
  UNIQUE (wl_user, wl_title));
