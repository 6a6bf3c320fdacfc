"""Reads hub.txt back as stanzas, by the rules that browsers follow."""

from __future__ import annotations


def read_stanzas(text: str) -> list[dict[str, str]]:
    """Settings by key, one dictionary per stanza; blank lines part stanzas."""
    result = []
    for block in text.split("\n\n"):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        settings = dict(line.split(maxsplit=1) for line in lines)
        assert len(settings) == len(lines), f"a key stands twice in {lines}"
        result.append(settings)
    return result
