"""A hub put into somebody's own JBrowse: what was there stays, and what the hub put there before makes room."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.hub.conftest import Build, Notes
from tests.hub.made import GENES, made_hub
from tests.hub.test_jbrowse import addresses
from tests.hubs import CARD, write_run
from trackgen.errors import DataError, ResourceError, TrackgenError, UsageError
from trackgen.hub.jbrowse_into import Merged, check_into, merge_into
from trackgen.hub.model import Hub

OWN: dict[str, Any] = {
    "configuration": {"theme": {"palette": {"primary": {"main": "#123456"}}}},
    "assemblies": [{"name": "other", "sequence": {"type": "ReferenceSequenceTrack", "trackId": "other-seq"}}],
    "tracks": [{"type": "FeatureTrack", "trackId": "mine", "name": "Größe", "assemblyNames": ["other"]}],
    "plugins": [{"name": "MsaView", "url": "https://example.org/msaview.js"}],
    "defaultSession": {"name": "as I left it"},
}


@pytest.fixture
def hub(finished: Path) -> Hub:
    return made_hub(finished / "out", genes=GENES, motifs=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "jbrowse").mkdir()
    return write(tmp_path / "jbrowse" / "config.json", OWN)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my hub"
    folder.mkdir()
    return folder


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A run of another model on the same genome."""
    return write_run(tmp_path / "other", card=CARD | {"name": "tss-other"})


def write(path: Path, config: Any) -> Path:
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_the_hub_is_added_behind_what_is_there(path: Path, hub: Hub, folder: Path) -> None:
    assert merge_into(path, hub, folder) == Merged(added=6, replaced=0, removed=0, changed=True)
    config = read(path)
    assert list(config) == [*OWN, "aggregateTextSearchAdapters"]
    for key in ("assemblies", "tracks", "plugins"):
        assert config[key][0] == OWN[key][0]
    assert config["configuration"] == OWN["configuration"]
    assert config["defaultSession"] == OWN["defaultSession"]
    assert [assembly["name"] for assembly in config["assemblies"]] == ["other", "mini"]
    assert [plugin["name"] for plugin in config["plugins"]] == ["MsaView", "Trackgen"]
    assert len(config["tracks"]) == 7


def test_doing_it_twice_is_as_once(path: Path, hub: Hub, folder: Path) -> None:
    merge_into(path, hub, folder)
    once = path.read_bytes()
    assert merge_into(path, hub, folder) == Merged(added=0, replaced=6, removed=0, changed=False)
    assert path.read_bytes() == once


def test_the_file_keeps_its_indentation_its_letters_and_its_permissions(path: Path, hub: Hub, folder: Path) -> None:
    path.write_text(json.dumps(OWN, indent="\t", ensure_ascii=False))
    path.chmod(0o640)
    merge_into(path, hub, folder)
    text = path.read_text(encoding="utf-8")
    assert '\n\t"assemblies": [\n\t\t{' in text
    assert "Größe" in text
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == ["config.json"]


def test_a_file_of_one_line_stays_one(path: Path, hub: Hub, folder: Path) -> None:
    path.write_text(json.dumps(OWN))
    merge_into(path, hub, folder)
    assert path.read_text(encoding="utf-8").count("\n") == 1


def test_tracks_that_the_hub_lost_are_removed_and_changed_ones_replaced_in_place(
    path: Path, hub: Hub, folder: Path
) -> None:
    merge_into(path, hub, folder)
    config = read(path)
    config["tracks"].append({"type": "FeatureTrack", "trackId": "later", "assemblyNames": ["mini"]})
    write(path, config)
    genome = replace(hub.genomes[0], motifs=())
    assert merge_into(path, replace(hub, genomes=(genome,)), folder) == Merged(0, 5, 1, changed=True)
    names = [track["trackId"] for track in read(path)["tracks"]]
    assert names == ["mine", "genes", *(track.name for track in hub.tracks), "later"]


def test_tracks_of_a_genome_that_the_hub_lost_are_removed(path: Path, finished: Path, folder: Path) -> None:
    merge_into(path, made_hub(finished / "out", names=("mini", "maxi")), folder)
    assert merge_into(path, made_hub(finished / "out"), folder).removed == 4
    assert {track["assemblyNames"][0] for track in read(path)["tracks"]} == {"other", "mini"}


def test_tracks_of_a_hub_at_another_place_stay(path: Path, finished: Path, other: Path, folder: Path) -> None:
    first = made_hub(other, names=("mini", "maxi"))
    merge_into(path, first, folder)
    before = read(path)
    second = replace(made_hub(finished / "out"), name=first.name)
    assert merge_into(path, second, folder.with_name("second")) == Merged(4, 0, 0, changed=True)
    after = read(path)
    assert after["tracks"][: len(before["tracks"])] == before["tracks"]
    # The sequence lies in the first hub, and its tracks need it.
    assert after["assemblies"] == before["assemblies"]


def test_tracks_of_the_same_names_from_another_place_are_refused(
    path: Path, finished: Path, other: Path, folder: Path
) -> None:
    merge_into(path, made_hub(finished / "out", other), folder)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"another track of this name.*tss_mini_sharp_plus.*build one hub of both"):
        merge_into(path, made_hub(finished / "out"), folder.with_name("second"))
    assert path.read_bytes() == before


def test_a_hub_with_another_first_model_at_the_same_place_is_the_same(
    path: Path, finished: Path, other: Path, folder: Path
) -> None:
    merge_into(path, replace(made_hub(finished / "out"), name="trackgen_before"), folder)
    assert merge_into(path, made_hub(other), folder) == Merged(added=4, replaced=0, removed=4, changed=True)


def test_a_hub_that_is_published_later_is_the_same(path: Path, hub: Hub, folder: Path) -> None:
    merge_into(path, hub, folder)
    published = replace(hub, base_url="https://example.org/hub/")
    assert merge_into(path, published, folder) == Merged(0, 6, 0, changed=True)
    config = read(path)
    assert {track["metadata"]["hubAddress"] for track in config["tracks"][1:]} == {"https://example.org/hub/"}
    assert all(address.startswith("https://") for address in addresses([config["tracks"], config["assemblies"]]))
    with pytest.raises(UsageError, match="another track of this name"):
        merge_into(path, replace(hub, base_url="https://example.org/elsewhere/"), folder)


def test_a_text_search_goes_with_the_genes(path: Path, finished: Path, folder: Path) -> None:
    theirs = {"type": "TrixTextSearchAdapter", "textSearchAdapterId": "theirs", "ixFilePath": {"uri": "genes.ix"}}
    write(path, OWN | {"aggregateTextSearchAdapters": [theirs]})
    merge_into(path, made_hub(finished / "out", genes=GENES), folder)
    assert len(read(path)["aggregateTextSearchAdapters"]) == 2
    assert merge_into(path, made_hub(finished / "out"), folder).removed == 1
    assert read(path)["aggregateTextSearchAdapters"] == [theirs]


def test_a_text_search_of_the_same_name_that_is_not_the_hubs_is_refused(path: Path, hub: Hub, folder: Path) -> None:
    theirs = {"textSearchAdapterId": "mini-genes-index", "ixFilePath": {"uri": "genes.ix"}}
    write(path, OWN | {"aggregateTextSearchAdapters": [theirs]})
    with pytest.raises(UsageError, match="another text search of this name"):
        merge_into(path, hub, folder)


def test_genes_of_two_hubs_are_refused_with_a_way_out(path: Path, finished: Path, other: Path, folder: Path) -> None:
    merge_into(path, made_hub(finished / "out", genes=GENES), folder)
    with pytest.raises(UsageError, match=r"found genes.*without --genes"):
        merge_into(path, made_hub(other, genes=GENES), folder.with_name("second"))


def test_the_same_model_on_another_genome_in_another_hub_is_refused(path: Path, finished: Path, folder: Path) -> None:
    merge_into(path, made_hub(finished / "out"), folder)
    with pytest.raises(UsageError, match="build one hub of both"):
        merge_into(path, made_hub(finished / "out", names=("maxi",)), folder.with_name("second"))


@pytest.mark.parametrize("existing", [{"name": "mini"}, {"name": "Our genome", "aliases": ["x", "mini"]}])
def test_an_assembly_that_is_there_by_name_or_alias_is_used(
    path: Path, hub: Hub, folder: Path, existing: dict[str, Any]
) -> None:
    assembly = existing | {"sequence": {"trackId": "theirs"}}
    write(path, OWN | {"assemblies": [assembly]})
    merge_into(path, hub, folder)
    config = read(path)
    assert config["assemblies"] == [assembly]
    assert all(track["assemblyNames"] == [existing["name"]] for track in config["tracks"][1:])
    assert config["aggregateTextSearchAdapters"][0]["assemblyNames"] == [existing["name"]]


def test_addresses_lead_from_the_configuration_to_the_hub(path: Path, hub: Hub, folder: Path) -> None:
    merge_into(path, hub, folder)
    config = read(path)
    found = addresses([config["tracks"][1:], config["plugins"][1:], config["assemblies"][1:]])
    assert all(address.startswith("../my%20hub/") for address in found)
    assert "../my%20hub/trackgen-jbrowse.js" in found


def test_a_configuration_in_the_hubs_own_folder_needs_no_way(hub: Hub, folder: Path) -> None:
    path = write(folder / "mine.json", {})
    merge_into(path, hub, folder)
    assert all("/" not in address for address in addresses(read(path)))


def test_addresses_lead_from_where_a_link_to_the_configuration_lies(tmp_path: Path, hub: Hub) -> None:
    target = tmp_path / "etc" / "jbrowse"
    target.mkdir(parents=True)
    write(target / "config.json", OWN)
    web = tmp_path / "web"
    web.mkdir()
    (web / "config.json").symlink_to(target / "config.json")
    (tmp_path / "disk").mkdir()
    (web / "hub").symlink_to(tmp_path / "disk")
    merge_into(web / "config.json", hub, web / "hub")
    assert (web / "config.json").is_symlink()
    assert all(address.startswith("hub/") for address in addresses(read(target / "config.json")["tracks"][1:]))


def test_addresses_do_not_go_by_two_names_of_one_folder(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "www").symlink_to(tmp_path / "srv")
    path = write(tmp_path / "srv" / "config.json", OWN)
    merge_into(path, hub, tmp_path / "www" / "hub")
    assert all(address.startswith("hub/") for address in addresses(read(path)["tracks"][1:]))


def test_a_published_hub_is_named_by_its_whole_address(path: Path, hub: Hub, folder: Path) -> None:
    merge_into(path, replace(hub, base_url="https://example.org/hub/"), folder)
    assert all(address.startswith("https://example.org/hub/") for address in addresses(read(path)["tracks"][1:]))


def test_a_configuration_with_a_byte_order_mark_is_read(path: Path, hub: Hub, folder: Path) -> None:
    path.write_text(json.dumps(OWN), encoding="utf-8-sig")
    assert merge_into(path, hub, folder).added == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"tracks": [,]}', "line 1, column 13: the file is no JSON"),
        ("[]", "this is no configuration of JBrowse.*list.*an object"),
        ('{"tracks": {}}', "tracks: this is no configuration of JBrowse.*a list of objects"),
        ('{"assemblies": ["hg38"]}', "assemblies: this is no configuration of JBrowse.*a list of objects"),
        ('{"tracks": [], "tracks": []}', "'tracks' stands twice"),
        ("\udcff", "cannot be read"),
        ('{"tracks": [{"trackId": ["x"]}]}', r"tracks\[0\]\.trackId: this is no configuration.*a string"),
        (
            '{"tracks": [{"assemblyNames": [{"a": 1}], "metadata": {"hub": "trackgen_mini"}}]}',
            r"tracks\[0\]\.assemblyNames: this is no configuration.*a list of strings",
        ),
        ('{"assemblies": [{"name": 1}]}', r"assemblies\[0\]\.name: this is no configuration.*a string"),
        ('{"configuration": ["\\ud800"]}', "cannot be written again.*surrogate"),
        ('{"\\ud800": 1}', "cannot be written again.*surrogate"),
        ("[" * 100_000, "cannot be read.*recursion"),
        ('{"a": 1e999}', "cannot be written again.*infinite"),
        ('{"a": NaN}', "cannot be written again.*NaN"),
    ],
)
def test_what_is_no_configuration_is_refused_and_left_alone(
    path: Path, hub: Hub, folder: Path, content: str, message: str
) -> None:
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    for merge in (check_into, merge_into):
        with pytest.raises(DataError, match=f"(?s){message}"):
            merge(path, hub, folder)
    assert path.read_bytes() == content.encode("utf-8", "surrogateescape")


def test_no_depth_of_nested_lists_is_a_fault(path: Path, hub: Hub, folder: Path) -> None:
    refused = []
    # Somewhere here reading, and somewhere here writing, runs out of stack.
    for depth in range(700, 1020, 4):
        path.write_text('{"a":\n' + "[" * depth + "]" * depth + "}")
        try:
            check_into(path, hub, folder)
        except DataError as error:
            refused.append(error.what)
    assert refused


def test_a_missing_configuration_is_refused(tmp_path: Path, hub: Hub, folder: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read.*config\.json of your JBrowse"):
        merge_into(tmp_path / "none.json", hub, folder)


@pytest.mark.parametrize(
    ("key", "entry", "message"),
    [
        ("plugins", {"name": "Trackgen", "url": "https://example.org/other.js"}, "another plugin called Trackgen"),
        ("tracks", {"trackId": "tss_mini_sharp_plus", "assemblyNames": ["mini"]}, "another track of this name"),
    ],
)
def test_what_has_the_name_of_something_else_is_refused_and_nothing_written(
    path: Path, hub: Hub, folder: Path, key: str, entry: dict[str, Any], message: str
) -> None:
    write(path, OWN | {key: [entry]})
    before = path.read_bytes()
    with pytest.raises(UsageError, match=message):
        merge_into(path, hub, folder)
    assert path.read_bytes() == before


def test_our_plugin_from_elsewhere_is_replaced(path: Path, hub: Hub, folder: Path) -> None:
    write(path, OWN | {"plugins": [{"name": "Trackgen", "url": "https://unpkg.com/x/trackgen-jbrowse.js"}]})
    merge_into(path, hub, folder)
    assert addresses(read(path)["plugins"]) == ["../my%20hub/trackgen-jbrowse.js"]


def test_a_full_disk_leaves_the_old_file(path: Path, hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("trackgen.hub.jbrowse_into.shutil.copymode", full)
    before = path.read_bytes()
    with pytest.raises(ResourceError, match="No space left"):
        merge_into(path, hub, folder)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["config.json"]


def test_every_refusal_names_the_file(path: Path, hub: Hub, folder: Path) -> None:
    path.write_text("{")
    with pytest.raises(TrackgenError, match=re.escape(str(path))):
        merge_into(path, hub, folder)


def test_a_build_tells_what_it_put_there(build: Build, notes: Notes, path: Path) -> None:
    build(jbrowse_config=path)
    assert f"{path}: 4 tracks added, 0 replaced, 0 removed" in notes.texts
    build(jbrowse_config=path, genes=[genes_file(path.with_name("one.bed"))])
    assert f"{path}: 1 track added, 4 replaced, 0 removed" in notes.texts
    assert "one.bed: 1 gene" in notes.texts
    assert read(path)["aggregateTextSearchAdapters"]
    build(jbrowse_config=path)
    assert f"{path}: 0 tracks added, 4 replaced, 1 removed" in notes.texts
    assert read(path)["aggregateTextSearchAdapters"] == []


def genes_file(path: Path) -> Path:
    path.write_text("chrI\t100\t900\tGENEA\t0\t+\n")
    return path


@pytest.mark.parametrize(
    "content", [None, "{", json.dumps({"tracks": [{"trackId": "tss_mini_sharp_plus", "assemblyNames": ["mini"]}]})]
)
def test_a_configuration_that_cannot_take_the_hub_leaves_the_hub_as_it_was(
    build: Build, path: Path, content: str | None
) -> None:
    hub = build().path
    before = {file.name: (file.stat().st_ino, file.read_bytes()) for file in hub.iterdir()}
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises((DataError, UsageError)):
        build(jbrowse_config=path, email="other@example.org")
    assert {file.name: (file.stat().st_ino, file.read_bytes()) for file in hub.iterdir()} == before
    with pytest.raises((DataError, UsageError)):
        build(jbrowse_config=path, output=hub.with_name("new"))
    assert not hub.with_name("new").exists()
