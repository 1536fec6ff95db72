"""Bad input of the pipeline for real text: one line with file and line, and the good rest on request."""

import gzip
import json

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet
from skald_cli.main import main
from skald_corpus import readers
from support_pipeline import build, left, removed, rows, sources, texts

GOOD = [{"id": f"d{i}", "text": text} for i, text in enumerate(texts("da", 12))]


def lines(*values):
    return b"".join(
        v if isinstance(v, bytes) else json.dumps(v, ensure_ascii=False).encode() + b"\n"
        for v in values
    )


TABLE = pa.table({"id": [row["id"] for row in GOOD], "text": [row["text"] for row in GOOD]})


def parquet_bytes():
    sink = pa.BufferOutputStream()
    parquet.write_table(TABLE, sink)
    return sink.getvalue().to_pybytes()


#: Name of the file, its bytes, what the error says, how many documents are left with --keep-going.
BAD = {
    "mixed encodings": (
        "da.jsonl",
        lines(*GOOD[:3], '{"text": "på"}\n'.encode("latin-1"), *GOOD[3:]),
        "da.jsonl:4: not UTF-8: byte 0xe5 at byte 12 of the line",
        12,
    ),
    "faroese with a stray byte": (
        "da.txt",
        "Tað er\n\nein góð\n\n".encode() + b"\xff\n\n" + "bók\n\nog\n\nein onnur".encode(),
        "da.txt:5: not UTF-8: byte 0xff",
        5,
    ),
    "zero-byte gzip": ("da.jsonl.gz", b"", "da.jsonl.gz: no text in it", 0),
    "truncated gzip": (
        "da.jsonl.gz",
        gzip.compress(lines(*({"text": t} for t in texts("da", 400, "z"))), mtime=0)[:-9000],
        "damaged gzip",
        None,
    ),
    "no gzip": ("da.jsonl.gz", lines(*GOOD), "da.jsonl.gz:1: damaged gzip", 0),
    "zero-byte parquet": ("da.parquet", b"", "da.parquet:1: damaged Parquet", 0),
    "truncated parquet": ("da.parquet", parquet_bytes()[:-30], "damaged Parquet", 0),
    "no text": (
        "da.jsonl",
        lines(GOOD[0], {"id": "x", "body": "words"}, *GOOD[1:]),
        "da.jsonl:2: no text under `text`. Remove it, or name the right one under fields (it has id, body)",
        12,
    ),
    "text is a number": ("da.jsonl", lines({"text": 5}, *GOOD), "da.jsonl:1: no text", 12),
    "not json": ("da.jsonl", lines(*GOOD, b"{text: }\n"), "da.jsonl:13: not JSON", 12),
    "duplicate id": (
        "da.jsonl",
        lines(*GOOD, {"id": "d3", "text": "Noget helt andet end det før."}),
        "text/da.jsonl:13: the id src-da/d3 stands there twice",
        12,
    ),
    "a long line": (
        "da.jsonl",
        lines(*GOOD[:2], {"text": "a" * 5000}, *GOOD[2:]),
        "da.jsonl:3: a line of 0 MB, 0 MB is the most",
        12,
    ),
    "no conllu": ("da.conllu", b"hello\n", "da.conllu: no `# text =` line in it", 0),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_and_the_rest_kept_on_request(tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr(readers, "MAX_LINE_BYTES", 4000)
    file, content, wanted, n_left = BAD[name]
    value = yaml.safe_load(sources(tmp_path, tags=("da",)).read_text())
    value["sources"][0]["path"] = f"text/{file}"
    rows(tmp_path / "text" / "good.jsonl", GOOD[:3])
    good = {**value["sources"][0], "id": "good", "path": "text/good.jsonl"}
    (tmp_path / "text" / file).write_bytes(content)
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump(value))
    assert build(path, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert wanted in error and error.count("\n") == 1
    assert not (tmp_path / "out" / "ingest").exists()
    if n_left == 0:
        assert build(path, tmp_path / "out", "--keep-going") == 2
        assert "no text in its files" in capsys.readouterr().err
        return
    value["sources"].append(good)
    path.write_text(yaml.safe_dump(value))
    assert build(path, tmp_path / "out", "--keep-going") == 0
    kept = [name for name in left(tmp_path / "out", "da") if not name.startswith("good/")]
    assert n_left is None or len(kept) == n_left
    # Never silently: what was left out stands in the funnel, with its place.
    assert len(removed(tmp_path / "out", "ingest", "da")) == 1
    card = json.loads((tmp_path / "out" / "card" / "card.json").read_text())
    row = card["funnels"][0]["rows"][1]
    assert row["read"]["documents"] == row["kept"]["documents"] + 1


def changed(tmp_path, **fields):
    rows(tmp_path / "text" / "da.jsonl", GOOD)
    value = yaml.safe_load(sources(tmp_path, tags=("da",)).read_text())
    value["sources"][0] |= fields
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump(value))
    return path


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"licence": "who knows"}, "source src-da, licence: who knows is not among the allowed"),
        ({"licence": ""}, "source src-da, licence: no licence is named"),
        ({"licence": "CC-BY-NC-4.0"}, "forbids commercial use"),
        ({"language": "xx"}, "not in the register. Use one of: da, de"),
        ({"sha256": "0" * 64}, "its files have changed: sha256 "),
        ({"sha256": "abc"}, "sha256"),
        ({"path": "text/nothing*.jsonl"}, "no file text/nothing*.jsonl below"),
        ({"path": "sources.yaml"}, "not a text file. Use .jsonl"),
        ({"path": None}, "needs one of path and hub"),
        ({"fields": {"text": "body"}}, "no text under `body`"),
        ({"id": "Ud Da"}, "should match pattern"),
        ({"lizenz": "x"}, "unknown key `sources.0.lizenz`"),
    ],
)
def test_a_wrong_source_is_named(tmp_path, capsys, fields, wanted):
    assert build(changed(tmp_path, **fields), tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert wanted in error and error.count("\n") == 1


def test_a_licence_may_be_allowed_by_name_or_its_documents_left_out(tmp_path, capsys):
    path = changed(tmp_path, licence="Hus-1.0")
    assert build(path, tmp_path / "out", "--keep-going") == 2
    assert "no text is left" in capsys.readouterr().err
    value = yaml.safe_load(path.read_text())
    value["rights"] = {"allow_licences": ["Hus-1.0"]}
    path.write_text(yaml.safe_dump(value))
    assert build(path, tmp_path / "out") == 0


def test_the_stated_hash_is_that_of_the_tools_that_people_have(tmp_path):
    import subprocess

    rows(tmp_path / "text" / "da.jsonl", GOOD[:6])
    rows(tmp_path / "text" / "db.jsonl", GOOD[6:])
    command = "sha256sum text/*.jsonl | sha256sum | cut -d' ' -f1"
    printed = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    value = yaml.safe_load(sources(tmp_path, tags=("da",)).read_text())
    value["sources"][0] |= {"path": "text/*.jsonl", "sha256": printed.stdout.strip()}
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump(value))
    assert build(path, tmp_path / "out") == 0


def test_every_format_gives_the_same_documents(tmp_path):
    found = []
    contents = {
        "da.jsonl": lines(*GOOD),
        "da.jsonl.gz": gzip.compress(lines(*GOOD), mtime=0),
        "da.parquet": parquet_bytes(),
        "da.conllu": "".join(
            f"# sent_id = {r['id']}\n# text = {r['text']}\n1\t_\n\n" for r in GOOD
        ).encode(),
    }
    for name, content in contents.items():
        folder = tmp_path / name
        path = changed(folder, path=f"text/{name}")
        (folder / "text" / name).write_bytes(content)
        assert build(path, folder / "out") == 0
        found.append(left(folder / "out", "da"))
    assert found[0] == sorted(f"src-da/d{i}" for i in range(12))
    assert all(ids == found[0] for ids in found)


def test_text_of_one_key_is_refused_unless_its_documents_are_parted(tmp_path, capsys):
    rows(tmp_path / "text" / "da.jsonl", [{**row, "doc": "one book"} for row in GOOD])
    path = sources(tmp_path, tags=("da",))
    assert build(path, tmp_path / "out") == 2
    assert "12 documents of one key" in capsys.readouterr().err
    value = yaml.safe_load(path.read_text())
    value["sources"][0]["fields"] = {"key": "id"}
    path.write_text(yaml.safe_dump(value))
    assert build(path, tmp_path / "out") == 0


def test_documents_of_a_treebank(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text(
        "# newdoc id = one\n# sent_id = 1\n# text = Hej.\n1\tHej\n\n# text = Du.\n\n"
        "# newdoc id = two\n# text = Nej.\n"
    )
    assert [row for _, row in readers.records(path)] == [
        {"text": "Hej. Du.", "id": "one", "key": "one"},
        {"text": "Nej.", "id": "two", "key": "two"},
    ]


def test_a_reference_without_the_language_is_refused(tmp_path, capsys):
    path = changed(tmp_path)
    value = yaml.safe_load(path.read_text())
    value["language"] = {"reference": "reference"}
    path.write_text(yaml.safe_dump(value))
    for tag in ("sv", "nb"):
        rows(tmp_path / "reference" / tag / "train.jsonl", [{"text": t} for t in texts(tag, 9)])
    assert build(path, tmp_path / "out") == 2
    assert "no reference text for da" in capsys.readouterr().err


def test_an_interrupted_build_leaves_whole_stages_only(tmp_path, monkeypatch, capsys):
    from skald_corpus.pipeline import run

    path = changed(tmp_path)
    assert build(path, tmp_path / "out") == 0
    before = (tmp_path / "out" / "normalise" / "funnel.json").read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_judge_part", interrupted)
    assert build(path, tmp_path / "out", "--stage", "normalise") == 75
    assert "run the same command again" in capsys.readouterr().err
    assert (tmp_path / "out" / "normalise" / "funnel.json").read_bytes() == before
    assert not [p for p in (tmp_path / "out").iterdir() if p.name.startswith(".")]


def test_workers_hand_over_what_is_wrong(tmp_path, capsys):
    for tag in ("da", "sv"):
        rows(tmp_path / f"text/{tag}.jsonl", GOOD)
    (tmp_path / "text/sv.jsonl").open("a").write("{no json\n")
    words = ["corpus", "build", str(sources(tmp_path)), "--out", str(tmp_path / "out")]
    assert main([*words, "--stage", "ingest", "--workers", "2"]) == 2
    shown = capsys.readouterr().err
    assert "sv.jsonl:13: not JSON" in shown and "killed" not in shown
