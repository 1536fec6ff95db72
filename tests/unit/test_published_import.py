"""Public leaderboards become a folder of published scores; what is malformed is named, and nothing lost."""

import gzip
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from skald_cli.main import main
from skald_report.landscape import importing
from skald_report.landscape.importing import import_published
from skald_report.reading.published import read_published
from skald_specs.errors import UserInputError

DAY = "2026-01-02"
HEAD = ("model,eu,params_b,language,task,shots,metric,score,stderr_of_bootstrap_mean,model_type,split,"
        "harness_version,language_rank_score,source,source_date,notes")  # fmt: skip
TASK = "euroeval/linguistic-acceptability/scala_da"


def link(kind, name):
    return f"<a id=8 href='https://euroeval.com/{kind}/{name}/'>{name}</a>"


def board(*rows, language="norwegian", columns=("norec", "scala_nb", "scala_nn")):
    """Return a made-up board in the public form: two heads, and one cell a data set and its version."""
    kinds = [
        link("tasks", "sentiment-classification"),
        link("tasks", "linguistic-acceptability"),
        "",
    ]
    heads = [f"<a href='https://euroeval.com/datasets/{language}#{c}'>{c}</a>" for c in columns]
    versions = [f"{c}_version" for c in columns]
    return "\n".join(
        [
            ",".join(["<span>Task Type</span>", "<span>dummy</span>", "", "", *kinds, "", "", ""]),
            ",".join(["Model", "Type", "Rank", "Parameters", *heads, *versions]),
            *rows,
        ]
    )


def line(model, kind="🧠", cells=("1.50 ± 0.98 / 33.10 ± 1.20@@1.50",) * 3):
    return ",".join([model, kind, "1.3@@1.3", "7800000000.0", *cells, *["16.1.0@@160100"] * 3])


@pytest.fixture
def boards(tmp_path):
    folder = tmp_path / "boards"
    folder.mkdir()
    (folder / "norwegian_all.csv").write_text(
        board(
            line("<a href='https://hf.co/a/b'>a/b</a>"),
            line("\"<a href='https://hf.co/a/b'>a/b (zero-shot, val)</a>\""),
            line("bert", "🔍"),
            line("c/d#x", "📝", ("-@@-1", "-0.10 ± 0.00 / 1.00 ± 0.00@@-0.1", "2.00 ± 0.50@@2")),
        ),
        encoding="utf-8",
    )
    return folder


def rows_of(folder):
    return {(r.model, r.language, r.task): r for r in read_published(folder)[0].itertuples()}


def test_a_board_gives_scores_with_protocol_and_source(boards, tmp_path):
    register = tmp_path / "models.yaml"
    register.write_text("models:\n  - {hub_id: c/d, eu: true, params_b: 7.8}\n")
    found = import_published(
        [str(boards)], tmp_path / "out", date=DAY, source="them", register=register
    )
    rows = rows_of(tmp_path / "out")
    assert found.n_rows == len(rows) == 5
    assert (found.n_models, found.n_european, found.n_unknown_origin) == (2, 1, 1)
    assert found.languages == ("no", "nb", "nn")
    row = rows["a/b", "nb", "euroeval/linguistic-acceptability/scala_nb"]
    assert (row.score, row.stderr_of_mean, row.metric) == (1.5, 0.5, "mcc")
    assert (row.shots, row.split, row.model_type, row.harness_version) == (
        "12",
        "test",
        "base",
        "16.1.0",
    )
    assert (row.params_b, row.source, row.source_date) == (7.8, "them norwegian_all.csv", DAY)
    assert rows["c/d#x", "nn", "euroeval/linguistic-acceptability/scala_nn"].score == 2.0
    assert found.skipped == {
        "an encoder, fine-tuned for each task": 3,
        "no score on the board": 1,
        "the validation split of a cell that has the test split": 3,
    }


def test_packed_or_fetched_or_twice_the_bytes_are_the_same(boards, tmp_path):
    plain = boards / "norwegian_all.csv"
    packed = tmp_path / "norwegian_all.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    read = partial(import_published, date=DAY, source="them")
    read([str(plain)], tmp_path / "a")
    first = (tmp_path / "a" / "scores.csv").read_bytes()
    read([str(plain)], tmp_path / "a")
    assert (tmp_path / "a" / "scores.csv").read_bytes() == first
    read([str(packed)], tmp_path / "b")
    assert (tmp_path / "b" / "scores.csv").read_bytes() == first.replace(b"all.csv", b"all.csv.gz")
    handler = partial(SimpleHTTPRequestHandler, directory=str(boards))
    handler.func.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        read([f"{address}/norwegian_all.csv"], tmp_path / "c")
        with pytest.raises(UserInputError, match="the server answers 404"):
            read([f"{address}/danish_all.csv"], tmp_path / "d")
        server.shutdown()
    assert (tmp_path / "c" / "scores.csv").read_bytes() == first
    with pytest.raises(UserInputError, match=r"cannot be fetched .*Check address and network"):
        read([f"{address}/norwegian_all.csv"], tmp_path / "d")
    assert not (tmp_path / "d").exists()


class _Elsewhere(SimpleHTTPRequestHandler):
    """A server of this machine that sends whoever asks on to another, in the open."""

    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", "http://example.org/scores.csv")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_nothing_is_fetched_in_the_open_not_even_when_sent_there(tmp_path):
    for address in ("http://example.org/a.csv", "ftp://example.org/a.csv", "file:///etc/passwd"):
        with pytest.raises(UserInputError, match=r"is not fetched\. Use https"):
            import_published([address], tmp_path / "a", date=DAY)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/a.csv"
        with pytest.raises(UserInputError, match=r"http://example\.org.* is not fetched"):
            import_published([address], tmp_path / "a", date=DAY)
        server.shutdown()
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.50 ± 0.98 /", "1.5O ± 0.98 /", r"norwegian_all\.csv:3: norec = '1\.5O"),
        ("16.1.0@@160100\n", "16.1.0@@160100,\n", r"norwegian_all\.csv:3: 11 cells under 10 columns"),
        ("datasets/norwegian#", "datasets/finnish#", "'finnish' is not in the register"),
        ("datasets/norwegian#", "tasks/", "not one language's board"),
        ("<span>Task Type</span>", "Kinds", "not a published leaderboard"),
        (",Type,", ",Sort,", r"norwegian_all\.csv:2: no column `Type`"),
    ],
)  # fmt: skip
def test_a_malformed_board_is_named_and_nothing_is_written(boards, tmp_path, old, new, message):
    path = boards / "norwegian_all.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 3), encoding="utf-8")
    with pytest.raises(UserInputError, match=message):
        import_published([str(path)], tmp_path / "out", date=DAY)
    assert not (tmp_path / "out").exists()


def test_a_board_needs_a_date_and_a_file_has_a_largest_size(boards, tmp_path, monkeypatch):
    path = str(boards / "norwegian_all.csv")
    with pytest.raises(UserInputError, match="does not tell its date"):
        import_published([path], tmp_path / "out")
    packed = tmp_path / "bomb.csv.gz"
    packed.write_bytes(gzip.compress(b"0" * (2 << 20)))
    monkeypatch.setattr(importing, "MAX_BYTES", 1 << 20)
    with pytest.raises(UserInputError, match="larger than 1 MiB"):
        import_published([str(packed)], tmp_path / "out", date=DAY)
    with pytest.raises(UserInputError, match="scheme 'file' is not fetched"):
        import_published([f"file://{path}"], tmp_path / "out", date=DAY)


def test_a_collection_keeps_one_score_a_cell(tmp_path):
    def row(
        score, language="Danish", metric="mcc", split="test", day="2026-04-17", eu="yes", shots="12"
    ):
        return (
            f"m,{eu},7,{language},{TASK},{shots},{metric},{score},0.5,base,{split},1.0,-,s,{day},"
        )

    path = tmp_path / "scores.csv"
    lines = [
        row(1, split="val"), row(2, day="2026-01-07"), row(3), row(4, metric="macro_f1"),
        row(5, language="Finnish"), row(6, shots="0"),
    ]  # fmt: skip
    path.write_text("\n".join([HEAD, *lines]))
    found = import_published([str(path)], tmp_path / "out")
    assert [r.score for r in rows_of(tmp_path / "out").values()] == [3.0]
    assert sum(found.skipped.values()) == 5
    path.write_text("\n".join([HEAD, row(1), row("high")]))
    with pytest.raises(UserInputError, match=r"scores\.csv:3: `score` = 'high'"):
        import_published([str(path)], tmp_path / "new")


def test_the_verb_says_what_it_took(boards, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", "import-published", str(boards), "--date", DAY, "--out", "o"]) == 0
    said = capsys.readouterr().out
    assert "5 scores of 2 models" in said
    assert "left out: 3 (an encoder, fine-tuned for each task)" in said
    assert main(["report", "import-published", str(boards), "--date", "soon"]) == 2
    for day in ("2026-13-01", "2026-02-30", "20260101"):
        assert main(["report", "import-published", str(boards), "--date", day]) == 2
    capsys.readouterr()
    assert main(["report", "import-published", str(boards), "--date", DAY, "--out", "a b"]) == 0
    assert "`skald report build --published 'a b'`" in capsys.readouterr().out
    assert main(["report", "import-published", "nowhere.csv"]) == 2
    assert "Traceback" not in capsys.readouterr().err
