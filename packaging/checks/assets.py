"""Compares the lists of files of both packages in Cargo.toml with what is in packaging/, and with each other."""

import glob
import sys
import tomllib

# Where a file lies in one package and not in the other.
DEB_ONLY = {
    "usr/share/lintian/overrides/relexport",
    "usr/share/doc/relexport/changelog.Debian.gz",
    "usr/share/doc/relexport/changelog.gz",
    "usr/share/doc/relexport/copyright",
    "usr/share/zsh/vendor-completions/_relexport",
}
RPM_ONLY = {
    "usr/share/doc/relexport/CHANGELOG.md",
    "usr/share/licenses/relexport/LICENSE-MIT",
    "usr/share/licenses/relexport/LICENSE-APACHE",
    "usr/share/zsh/site-functions/_relexport",
}

with open("Cargo.toml", "rb") as file:
    metadata = tomllib.load(file)["package"]["metadata"]
deb = {dest: (source, mode) for source, dest, mode in metadata["deb"]["assets"]}
rpm = {asset["dest"].lstrip("/"): (asset["source"], asset["mode"]) for asset in metadata["generate-rpm"]["assets"]}


def whole(assets):
    """With the file's own name where only its folder is given."""
    return {
        dest + (source.rsplit("/", 1)[1] if dest.endswith("/") else ""): (source, mode)
        for dest, (source, mode) in assets.items()
    }


deb, rpm = whole(deb), whole(rpm)
faults = [
    f"{source} is listed in Cargo.toml and is not there"
    for source, _ in [*deb.values(), *rpm.values()]
    if not source.startswith("target/") and not glob.glob(source)
]
for ours, theirs, known, name in [(deb, rpm, DEB_ONLY, "rpm"), (rpm, deb, RPM_ONLY, "deb")]:
    faults += [f"{dest} is not in the .{name}" for dest in ours.keys() - theirs.keys() - known]
faults += [f"{dest} is not the same in both packages" for dest in deb.keys() & rpm.keys() if deb[dest] != rpm[dest]]
for fault in faults:
    print(fault, file=sys.stderr)
sys.exit(1 if faults else 0)
