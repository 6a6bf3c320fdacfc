"""What keeping regions changes in a built hub, prepared beside it and then put in its place, file by file.

Tracks and their pages come first, which nothing names yet; then what names them; the list of what is kept comes last.
So a hub whose keeping was killed is right at every moment, and keeping again ends it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from trackgen.errors import DataError
from trackgen.hub.built import MANIFEST, BuiltHub, track_record
from trackgen.hub.genome_files import link_or_copy
from trackgen.hub.kept import KEPT, KeptModel, kept_hub, names_of
from trackgen.hub.kept_texts import counted_text, merged_texts
from trackgen.hub.pages import render_track_page
from trackgen.hub.runs import Run

__all__ = ["HubChange"]

TEXTS = (".txt", ".json", ".xml", ".ini")
PAGES = ("index.html", "jbrowse.html", "hub.html", "live.html")


class HubChange:
    """What will become of the hub in `built`: texts and manifest as they will be, and finished tracks, by name."""

    def __init__(self, built: BuiltHub) -> None:
        self._built = built
        self._old = _texts(built)
        self._texts = dict(self._old)
        self._manifest, self._between = dict(built.manifest), dict(built.manifest)
        self._tracks: dict[str, Path] = {}
        self._gone: set[str] = set()

    def add(self, kept: KeptModel, before: KeptModel | None, run: Run, regions: int) -> None:
        """Add the tracks of `run`, a scan of all `regions` that are kept of a model now.

        Args:
            kept: what was asked for; its names and files are those of the tracks.
            before: what the hub keeps of this model, which goes.

        Raises:
            DataError: a text of the hub has another shape than it was written in.
        """
        names, files, old = (before.names, before.files, before.pages) if before else ((), (), ())
        try:
            hub, genome = kept_hub(self._built, self._texts, run, kept.genome, before)
            self._texts |= merged_texts(self._texts, hub, genome, names, files, regions)
        except (ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
            raise DataError(
                "a file of the hub is not as trackgen wrote it, and so nothing can be kept there",
                path=self._built.folder,
                found=f"{type(error).__name__}: {error}",
                remedy="build the hub again with trackgen hub build",
            ) from error
        pages = {track.page: render_track_page(hub, track) for track in genome.tracks}
        tracks = {track.file: track.source for track in genome.tracks}
        kept = replace(kept, names=names_of(genome), files=tuple(tracks), pages=tuple(pages))
        self._texts |= pages
        self._tracks |= tracks
        self._gone = (self._gone | {*files, *old}) - {*tracks, *pages}
        others = [entry for entry in self._manifest["tracks"] if entry["name"] not in names]
        self._manifest["tracks"] = [*others, *(track_record(genome, track) for track in genome.tracks)]
        _list(self._manifest, kept)
        # Until all is in its place, both the old and the new may be there; whoever keeps again replaces both.
        _list(self._between, kept.unfinished(before))

    def commit(self, work: Path, listed: str, regions: str) -> None:
        """Put it all into the hub, by way of files in the folder `work`; `listed` is the file of the `regions`."""
        count = len(self._manifest["tracks"])
        for name in PAGES:
            if name in self._texts:
                self._texts[name] = counted_text(self._texts[name], count)
        self._texts[listed] = regions
        changed = {name: text for name, text in self._texts.items() if text != self._old.get(name)}
        own = {MANIFEST, *self._built.files, *changed, *self._tracks}
        pages = sorted(name for name in changed if name not in self._old and name != listed)
        # What names a file comes after it; until the last steps the hub says that less is kept than it has.
        if listed not in self._built.files:
            _put(self._built.folder, work, listed, "")
        for name in (*self._tracks, *pages):
            _put(self._built.folder, work, name, self._tracks.get(name) or changed[name])
        _put(self._built.folder, work, MANIFEST, _json(self._between | {"files": sorted(own)}))
        for name in sorted(set(changed) - {*pages, listed}, key=_order):
            _put(self._built.folder, work, name, changed[name])
        _put(self._built.folder, work, listed, regions)
        _put(self._built.folder, work, MANIFEST, _json(self._manifest | {"files": sorted(own - self._gone)}))
        for name in self._gone:
            (self._built.folder / name).unlink(missing_ok=True)


def _list(manifest: dict[str, Any], kept: KeptModel) -> None:
    """Put `kept` into the list of what is kept, in the place of what was kept of the same model."""
    manifest[KEPT] = [*(entry for entry in manifest.get(KEPT, []) if not kept.replaces(entry)), kept.to_dict()]


def _texts(built: BuiltHub) -> dict[str, str]:
    """The hub's texts that name tracks or count them; pages of tracks are not among them."""
    names = [name for name in built.files if name != MANIFEST and (name.endswith(TEXTS) or name in PAGES)]
    return {name: (built.folder / name).read_text(encoding="utf-8") for name in names}


def _order(name: str) -> tuple[int, str]:
    """Settings name groups; pages name the files of every browser."""
    return (0 if name.startswith("groups") else 2 if name in PAGES else 1), name


def _put(folder: Path, work: Path, name: str, content: Path | str) -> None:
    """Put a file into the hub in one step."""
    ready = work / "ready"
    ready.unlink(missing_ok=True)
    if isinstance(content, str):
        ready.write_text(content, encoding="utf-8")
    else:
        link_or_copy(content, ready)
    ready.replace(folder / name)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
