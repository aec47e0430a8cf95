# shellcheck shell=bash
# What the checks share: sourced, in the project's folder.

PATH=$PWD/target/package-tools/bin:$PWD/target/package-tools/venv/bin:$PATH

# Ends the check.
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# expect WHAT COMMAND…: the command has to succeed.
expect() {
  local what=$1
  shift
  "$@" || fail "$what: $*"
}

# The one file in $PACKAGES that a pattern matches.
the_package() {
  local files
  mapfile -t files < <(find "$PACKAGES" -maxdepth 1 -name "$1")
  [ ${#files[@]} -eq 1 ] || fail "in $PACKAGES there are ${#files[@]} files $1 and not one; packaging/build makes it"
  realpath "${files[0]}"
}
