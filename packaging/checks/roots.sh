# Clean systems to install packages in: sourced, in the project's folder, after common.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # who sources this sets $scratch and $root, and defines inside and as_user

[ "$(id -u)" -eq 0 ] || fail "this check makes a system of its own, which only root may"

backup=1700000000_2023_11_14_16.5.1-ee_gitlab_backup.tar
backups=/var/opt/gitlab/backups
exports=/var/backups/relexport

# is WHAT FOUND EXPECTED
is() {
  [ "$2" = "$3" ] || fail "$1 is '$2', and not '$3'"
}

# Unpacks a clean Debian with some packages into $root. The archive of it is kept in target/package-tools.
make_root() {
  local archive=$PWD/target/package-tools/root-$1.tar
  if [ ! -f "$archive" ]; then
    echo "makes a Debian ($1) in $archive"
    mmdebstrap --quiet --variant=minbase --include="$2" bookworm "$archive.part.tar"
    mv "$archive.part.tar" "$archive"
  fi
  mkdir "$root"
  tar -xf "$archive" -C "$root"
}

# Puts the package into $root, and one that says it is older, and whose sample configuration is another.
put_packages() {
  cp "$1" "$root/new.deb"
  dpkg-deb --raw-extract "$1" "$scratch/old"
  sed -i 's/^Version: .*/Version: 0.0.1-1/' "$scratch/old/DEBIAN/control"
  echo '# The sample of an older version.' >"$scratch/old/etc/relexport/relexport.toml"
  dpkg-deb --root-owner-group -Znone --build "$scratch/old" "$root/old.deb" >/dev/null
}

# dpkg, as nobody is asked: what an administrator has changed stays.
dpkg_in() {
  inside env DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold "$@" >"$scratch/dpkg" 2>&1 ||
    fail "dpkg $*: $(cat "$scratch/dpkg")"
}

owner() {
  inside stat --format='%U:%G %a' "$1"
}

# What an administrator does after the installation: a backup of GitLab's, which others may read, and a job.
put_night() {
  mkdir -p "$root$backups"
  install -m 0644 "fixtures/$backup" "$root$backups/"
  cat >"$root/etc/relexport/conf.d/night.toml" <<TOML
[job.night]
snapshot = "$backups/*_gitlab_backup.tar"
pick = "newest"
group = ["acme"]
subgroups = true
no-files = true
destination = "$exports/{job}/{date}_{time}"
keep-last = 2
TOML
}

# The export at a path is whole, the user's own, and holds the rows that were written down by hand for the tests.
expect_export() {
  local relation
  as_user relexport verify "$1" >"$scratch/verify" 2>&1 || fail "verify $1: $(cat "$scratch/verify")"
  is "the owner of $1" "$(inside stat --dereference --format=%U:%G "$1")" relexport:relexport
  for relation in labels epics milestones members; do
    inside zcat "$1/group_4351/$relation.ndjson.gz" | cmp - "tests/expected/group_4351/$relation.ndjson" ||
      fail "$1 has other $relation"
  done
}

# The names of exports have seconds, so that two of one second would be one.
next_second() {
  local second=$EPOCHSECONDS
  until [ "$EPOCHSECONDS" != "$second" ]; do sleep 0.1; done
}

# What is left after a purge: exports, and whose they are.
expect_purged() {
  local path
  for path in /usr/bin/relexport /etc/relexport /run/relexport /var/lib/relexport /usr/share/doc/relexport \
    /usr/lib/systemd/system/relexport.timer /etc/systemd/system/timers.target.wants/relexport.timer; do
    if inside test -e "$path" || inside test -L "$path"; then
      fail "$path is there after a purge"
    fi
  done
  [ -e "$root$exports/night/latest/manifest.json" ] || fail "a purge takes exports"
  is "the owner of exports after a purge" "$(owner $exports)" "relexport:relexport 750"
}
