"""Reads a migration for what an older release, still at work, could not live with."""

import re
from collections.abc import Iterator
from typing import Final

#: `-- contract: 0.3.0 was the last release that read …`
_REASON: Final = re.compile(r"^--\s*contract:\s*\d+\.\d+\.\d+\s+\S+", re.MULTILINE)
_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_BODY: Final = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
_TEXT: Final = re.compile(r"'(?:[^']|'')*'")

_RULES: Final = (
    (r"\bDROP\b", "drops something"),
    (r"\bRENAME\b", "renames something"),
    (r"\bTRUNCATE\b", "empties a table"),
    (r"\bDELETE\s+FROM\b", "deletes rows"),
    (r"\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b", "changes a column's type"),
    (r"\bSET\s+NOT\s+NULL\b", "forbids null where older releases may write it"),
    (
        r"\bADD\s+(CONSTRAINT|CHECK|UNIQUE|PRIMARY\s+KEY|FOREIGN\s+KEY|EXCLUDE)\b",
        "forbids what older releases may write",
    ),
)
_NEW_COLUMN: Final = re.compile(
    r"\bADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?!CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN)\w+\s[^,;]*"
)
_TABLE: Final = re.compile(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)")
_UNIQUE_INDEX: Final = re.compile(r"\bCREATE\s+UNIQUE\s+INDEX\b.*?\bON\s+(?:ONLY\s+)?(\w+)", re.DOTALL)


def contractions(sql: str) -> list[str]:
    """What the migration takes away, a phrase each; nothing when it gives its reason in a line `-- contract: …`."""
    return [] if _REASON.search(sql) else list(_found(sql))


def _found(sql: str) -> Iterator[str]:
    # What a function does when it is called is not done by the migration.
    bare = _TEXT.sub("''", _BODY.sub("''", _COMMENT.sub(" ", sql))).upper()
    own = set(_TABLE.findall(bare))
    for statement in bare.split(";"):
        words = statement.split()
        if words[:2] == ["ALTER", "TABLE"] and own & set(words[2:6]):
            continue
        if words[:1] in (["GRANT"], ["REVOKE"], ["COMMENT"]):
            continue
        for pattern, phrase in _RULES:
            if re.search(pattern, statement):
                yield phrase
        if words[:2] == ["ALTER", "TABLE"]:
            for column in _NEW_COLUMN.findall(statement):
                if "NOT NULL" in " ".join(column.split()) and "DEFAULT" not in column and "GENERATED" not in column:
                    yield "adds a column that older releases do not fill"
        for table in _UNIQUE_INDEX.findall(statement):
            if table not in own:
                yield "forbids what older releases may write"
