-- entity: musicbrainz.artist
CREATE SCHEMA musicbrainz; CREATE SCHEMA cover_art_archive;
CREATE TABLE musicbrainz.area (id integer PRIMARY KEY, gid uuid NOT NULL);
CREATE TABLE musicbrainz.artist (id integer PRIMARY KEY, gid uuid NOT NULL, area integer REFERENCES musicbrainz.area,
  begin_area integer REFERENCES musicbrainz.area);
CREATE TABLE musicbrainz.artist_alias (id integer PRIMARY KEY, artist integer NOT NULL REFERENCES musicbrainz.artist, name varchar NOT NULL);
CREATE TABLE musicbrainz.artist_gid_redirect (gid uuid PRIMARY KEY, new_id integer NOT NULL REFERENCES musicbrainz.artist);
CREATE TABLE musicbrainz.artist_isni (artist integer NOT NULL REFERENCES musicbrainz.artist, isni character(16) NOT NULL, PRIMARY KEY (artist, isni));
CREATE TABLE musicbrainz.artist_credit (id integer PRIMARY KEY, name varchar NOT NULL, artist_count smallint NOT NULL);
CREATE TABLE musicbrainz.artist_credit_name (artist_credit integer NOT NULL REFERENCES musicbrainz.artist_credit, position smallint NOT NULL,
  artist integer NOT NULL REFERENCES musicbrainz.artist, PRIMARY KEY (artist_credit, position));
CREATE TABLE musicbrainz.release_group (id integer PRIMARY KEY, gid uuid NOT NULL, artist_credit integer NOT NULL REFERENCES musicbrainz.artist_credit);
CREATE TABLE musicbrainz.release (id integer PRIMARY KEY, gid uuid NOT NULL UNIQUE, artist_credit integer NOT NULL REFERENCES musicbrainz.artist_credit,
  release_group integer NOT NULL REFERENCES musicbrainz.release_group);
CREATE TABLE cover_art_archive.cover_art (id bigint PRIMARY KEY, release integer NOT NULL REFERENCES musicbrainz.release);
CREATE TABLE cover_art_archive.cover_art_type (id bigint NOT NULL REFERENCES cover_art_archive.cover_art, type_id integer NOT NULL,
  PRIMARY KEY (id, type_id));
CREATE TABLE musicbrainz.tag (id integer PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE musicbrainz.artist_tag (artist integer NOT NULL REFERENCES musicbrainz.artist, tag integer NOT NULL REFERENCES musicbrainz.tag,
  PRIMARY KEY (artist, tag));
CREATE TABLE musicbrainz.link (id integer PRIMARY KEY, link_type integer NOT NULL);
CREATE TABLE musicbrainz.l_artist_artist (id integer PRIMARY KEY, link integer NOT NULL REFERENCES musicbrainz.link,
  entity0 integer NOT NULL REFERENCES musicbrainz.artist, entity1 integer NOT NULL REFERENCES musicbrainz.artist);
