"""The ready-made lists are sound, and rows in the layout of each public set become documents."""

from pathlib import Path

import pyarrow
import pytest
from huggingface_hub import constants
from pyarrow import parquet
from skald_corpus.filters.licence import judge_licence
from skald_corpus.pipeline.hub import hub_files
from skald_corpus.pipeline.ingest import ingest
from skald_corpus.pipeline.rows import Row, json_rows
from skald_specs.errors import UserInputError
from skald_specs.languages import BY_TAG
from skald_specs.sources import SourcesFile
from support import ROOT

LISTS = sorted((ROOT / "sources").glob("*.yaml"))
TEXT = "En hund stod under æblet.\nSå gik den hjem."
#: One made-up row in the columns of each set.
LAYOUTS = {
    "fineweb-2": {
        "text": TEXT, "id": "<urn:uuid:1>", "dump": "CC-MAIN-2024-10", "url": "https://a.example/1",
        "date": "2024-02-21T00:00:00Z", "file_path": "s3://x/y.warc.gz", "language": "dan",
        "language_score": 0.98, "language_script": "Latn", "minhash_cluster_size": 3,
        "top_langs": '{"dan_Latn_score": 0.98}',
    },
    "hplt-v2": {
        "f": "path/x.warc.gz", "o": 12, "s": 34, "rs": 56, "u": "https://a.example/1",
        "c": "text/html", "ts": "2020-01-01T00:00:00Z", "collection": "wide16",
        "lang": ["dan_Latn"], "prob": [0.99], "text": TEXT, "seg_langs": ["dan_Latn", "dan_Latn"],
        "robotstxt": "allowed", "id": "<urn:uuid:1>", "filter": "keep", "pii": [[0, 2]],
        "doc_scores": [9.1, 8.0],
    },
    "wikipedia": {"id": "<urn:uuid:1>", "url": "https://a.example/1", "title": "Hund", "text": TEXT},
}  # fmt: skip


def test_there_is_a_list_for_each_layout() -> None:
    assert {path.stem for path in LISTS} == set(LAYOUTS)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_a_list_is_sound_and_says_to_pin_a_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    sources = SourcesFile.load(path)
    assert sources.name == path.stem
    assert {"da", "sv", "nb", "nn", "is", "fo"} <= set(sources.languages)
    for source in sources.sources:
        assert judge_licence(source.licence).kept and source.citation and source.hub
        code = BY_TAG[source.language].iso639_3
        assert any(code in name or source.language in name for name in source.hub.files) or (
            path.stem == "wikipedia" and source.language in ("nb", "gsw")
        )
        with pytest.raises(UserInputError, match="revision main is no commit"):
            hub_files(source.hub, source.id)
    text = path.read_text(encoding="utf-8")
    assert "# `revision: main` is refused" in text and "Licence:" in text


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_rows_of_the_layout_become_documents(path: Path, tmp_path: Path) -> None:
    source = SourcesFile.load(path).source(f"{path.stem.replace('-', '').replace('v2', '2')}-da")
    rows = [LAYOUTS[path.stem], {**LAYOUTS[path.stem], "id": "<urn:uuid:2>"}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "000.parquet")
    local = source.model_copy(update={"hub": None, "path": "*.parquet"})
    counts = ingest(local, tmp_path, tmp_path / "out")
    assert counts.kept.documents == 2 and not counts.removed
    (file,) = (tmp_path / "out" / "da").glob(f"{source.id}-*0.jsonl")
    found = [Row(**fields) for fields in json_rows(file)]
    assert [row.id for row in found] == [f"{source.id}/<urn:uuid:{i}>" for i in (1, 2)]
    assert {row.text for row in found} == {TEXT}
    assert {row.url for row in found} == {"https://a.example/1"}
