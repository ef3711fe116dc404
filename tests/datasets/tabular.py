"""An independent reader and writer of CSV: one character at a time, nothing shared with what they test."""

from __future__ import annotations

import json
from collections.abc import Sequence

Row = list[str]


def write(rows: Sequence[Sequence[str]], styles: Sequence[int], line_end: str = "\n") -> str:
    """Rows as CSV. `styles`, in turn: 0 quote where needed, 1 quote and double, 2 quote with backslashes."""
    turn = 0
    lines = []
    for row in rows:
        cells = []
        for value in row:
            style = styles[turn % len(styles)]
            turn += 1
            special = any(c in value for c in '",\r\n') or (value == "" and len(row) == 1)
            if style == 2:
                cells.append('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"')
            elif style == 1 or special:
                # a backslash is an escape inside quotes, whichever way the quotes are written
                cells.append('"' + value.replace("\\", "\\\\").replace('"', '""') + '"')
            else:
                cells.append(value)
        lines.append(",".join(cells) + line_end)
    return "".join(lines)


def read(text: str) -> list[tuple[int, Row | None]]:
    """(line where it begins, values) of each row that is not blank; None for a row that is wrongly quoted."""
    rows: list[tuple[int, Row | None]] = []
    at, line = 0, 1
    if text and not text.endswith("\n"):
        text += "\n"
    while at < len(text):
        begin = line
        values: Row = []
        quoted = False
        broken = False
        while True:
            value, quoted = "", False
            opened = at
            if text[at] == '"':
                quoted = True
                at += 1
                while at < len(text):
                    if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\"):
                        value += text[at + 1]
                        at += 2
                    elif text[at] == '"' and text[at + 1 : at + 2] == '"':
                        value += '"'
                        at += 2
                    elif text[at] == '"':
                        break
                    else:
                        value += text[at]
                        at += 1
                at += 1
                if at >= len(text) or not (text[at] in ",\n" or text[at : at + 2] == "\r\n"):
                    broken = True
                    at = opened
                    while text[at] != "\n":
                        at += 1
                    break
                if text[at] == "\r":
                    at += 1
            else:
                while text[at] not in ",\n":
                    value += text[at]
                    at += 1
                if value != value.lstrip(" \t") and value.lstrip(" \t").startswith('"'):
                    broken = True
                    at = opened
                    while text[at] != "\n":
                        at += 1
                    break
                if text[at] == "\n" and value.endswith("\r"):
                    value = value[:-1]
            values.append(value)
            if text[at] == "\n":
                break
            at += 1
        at += 1
        line = 1 + text.count("\n", 0, at)
        if broken:
            rows.append((begin, None))
        elif values != [""] or quoted:
            rows.append((begin, values))
    return rows


def schema(name: str, *fields: object) -> str:
    """A schema's text. A field is a name (string), or (name, type) or (name, type, flags)."""
    written = []
    for field in fields:
        parts = (field, "string") if isinstance(field, str) else tuple(field)  # type: ignore[arg-type]
        written.append({"name": parts[0], "type": parts[1], **(parts[2] if len(parts) > 2 else {})})
    return json.dumps({"type": "record", "name": name, "fields": written, "version": "1.0"})


CATEGORICAL = {"categorical": True}
TEXTUAL = {"textual": True}
