"""What comes of a relation's files: lines of JSON, or archives that are unpacked as GitLab unpacks them."""

import gzip
import hashlib
import io
import json
import re
import tarfile
from concurrent.futures import ThreadPoolExecutor

from client import check

LINE_LIMIT = 50 << 20
UNBATCHED = ("self", "max_iids", "repository", "design")
ARCHIVES = ("uploads", "lfs_objects", "repository", "design")
ATTACHMENT = re.compile(r"(?:^|/)(?P<secret>[0-9a-f]{10}|[0-9a-f]{32})/(?P<name>[^/]+)$")


def files(source, entity, relation):
    """The files of a relation, packed: none if it is empty, one, or one for each batch."""
    status = source.status(entity, relation)
    if status["batched"] is not True:
        return [source.packed(entity, relation)]
    count = status["batches_count"]
    if count < 1:
        return []
    if relation in UNBATCHED:
        # 18.9 asks for it without a number whatever the status says.
        return [source.packed(entity, relation)]
    batches = {batch["batch_number"]: batch for batch in status["batches"]}
    for number in range(1, count + 1):
        check(batches[number]["status"] == 1, f"{relation}: {batches[number]}")
    with ThreadPoolExecutor(25) as pool:
        return list(pool.map(lambda number: source.packed(entity, relation, number), range(1, count + 1)))


def lines(source, entity, relation):
    """A relation of rows: its batches joined."""
    content = b"".join(gzip.decompress(packed) for packed in files(source, entity, relation))
    for line in content.split(b"\n"):
        check(len(line) <= LINE_LIMIT, f"{relation}: a line is too long")
        if line:
            json.loads(line)
    return content


def unpacked(source, entity, relation):
    """The files of a relation's archives, a dict of names and contents for each; links and odd names are refused."""
    found = []
    for packed in files(source, entity, relation):
        members = {}
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
            for number, member in enumerate(archive):
                check(member.isdir() or member.isfile(), f"{entity} {relation}: {member.name} is a link or worse")
                parts = member.name.split("/")
                check(parts[0] == "." and ".." not in parts, f"{entity} {relation}: {member.name}")
                check(number or member.isdir(), f"{entity} {relation}: the first member is {member.name}")
                if member.isfile():
                    check(member.name not in members, f"{entity} {relation}: {member.name} is there twice")
                    members[member.name.removeprefix("./")] = archive.extractfile(member).read()
        found.append(members)
    return found


def uploads(source, entity):
    """Attachments by secret and name, and the avatar; what GitLab's importer ignores is counted."""
    found = {"attachments": {}, "avatar": None, "ignored": []}
    for members in unpacked(source, entity, "uploads"):
        for name, content in sorted(members.items()):
            digest = hashlib.sha256(content).hexdigest()
            attachment = ATTACHMENT.search(name)
            if "avatar" in name.split("/")[:-1]:
                check(found["avatar"] is None, f"{entity}: a second avatar, {name}")
                found["avatar"] = [name.split("/")[-1], digest]
            elif attachment:
                found["attachments"][f"{attachment['secret']}/{attachment['name']}"] = digest
            else:
                found["ignored"].append(name)
    return found


def lfs_objects(source, entity):
    """Objects by the SHA-256 of their content, with the types that their archive's map gives them."""
    found = {}
    for members in unpacked(source, entity, "lfs_objects"):
        check("lfs_objects.json" in members, f"{entity}: an archive of LFS objects without its map")
        types = json.loads(members.pop("lfs_objects.json"))
        for name, content in members.items():
            check("/" not in name, f"{entity}: LFS object {name} is not at the top")
            oid = hashlib.sha256(content).hexdigest()
            check(oid in types, f"{entity}: LFS object {name} would belong to no project")
            found[oid] = types[oid]
    return found


def bundle(source, entity, relation):
    """The bundle of a repository, or None; a second download must give the same bytes, for a retry goes on by position."""
    archives = unpacked(source, entity, relation)
    check(archives == unpacked(source, entity, relation), f"{entity} {relation}: other bytes at a second download")
    return archives[0].get(f"{relation}.bundle") if archives else None
