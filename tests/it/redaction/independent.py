"""Redacts exported files from what docs/redaction.md says, with nothing of the program.

Standard input: {"key", "given", "family", "rules": {"epics.notes.author.name": rule}, "files": {"epics.ndjson": text}}.
A rule is null, ["constant", value], ["hash", prefix, characters], ["email", domain], ["name"], ["json", rule] for each
string and number inside, or ["inside", {"/key/position": rule}] with whole pointers only. Keys are those of the records,
from the relation inwards; a key that is not said stays.
"""

import hashlib
import hmac
import json
import sys

asked = json.load(sys.stdin)
key = asked["key"].encode()


def digest(use, text):
    return hmac.new(key, use.encode() + b"\0" + text.encode(), hashlib.sha256)


def redacted(rule, value):
    if value is None or rule is None:
        return None
    if rule[0] == "constant":
        return rule[1]
    if isinstance(value, list):
        return [redacted(rule, each) for each in value]
    if value == "":
        return ""
    if rule[0] == "hash":
        return rule[1] + digest("hash", value).hexdigest()[: rule[2]]
    if rule[0] == "email":
        address = value.lower()
        domain = rule[1] or (address.rsplit("@", 1)[1] if "@" in address else "example.invalid")
        return "user-" + digest("email", address).hexdigest()[:20] + "@" + domain
    if rule[0] == "name":
        bytes_ = digest("name", value).digest()
        given, family = asked["given"], asked["family"]
        first = given[int.from_bytes(bytes_[0:2], "big") % len(given)]
        return first + " " + family[int.from_bytes(bytes_[2:4], "big") % len(family)]
    raise ValueError(rule)


def inside(rule, value):
    if isinstance(value, dict):
        return {name: inside(rule, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [inside(rule, inner) for inner in value]
    if isinstance(value, str):
        return redacted(rule, value.strip("\ue000\ue001"))
    return value


def at_pointers(rules, pointer, value):
    if pointer in rules:
        rule = rules[pointer]
        return inside(rule, value) if rule and rule[0] != "constant" else redacted(rule, value)
    if isinstance(value, dict):
        return {name: at_pointers(rules, f"{pointer}/{name}", inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [at_pointers(rules, f"{pointer}/{place}", inner) for place, inner in enumerate(value)]
    return value


def walk(path, value):
    if isinstance(value, dict):
        return {name: member(f"{path}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [walk(path, inner) for inner in value]
    return value


def member(path, value):
    if path in asked["rules"]:
        rule = asked["rules"][path]
        if rule and rule[0] == "json":
            return inside(rule[1], value)
        if rule and rule[0] == "inside":
            return at_pointers(rule[1], "", value)
        return redacted(rule, value)
    return walk(path, value)


def written(value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Numbers keep their digits: they went through as texts between these two letters.
    text = text.replace('"\ue000', "").replace('\ue001"', "")
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def number(digits):
    return f"\ue000{digits}\ue001"


files = {}
for name, text in asked["files"].items():
    relation = name.split("/")[-1].split(".")[0]
    lines = text.split("\n")
    parsed = [json.loads(line, parse_float=number, parse_int=number) if line else None for line in lines]
    for line, value in zip(lines, parsed):
        # What JSON cannot be told from its text would be changed by more than the rules.
        assert not line or written(value) == line, line
    files[name] = "\n".join("" if value is None else written(walk(relation, value)) for value in parsed)
json.dump(files, sys.stdout)
