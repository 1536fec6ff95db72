"""Documents that a report reads: what stations wrote, what others published, and reports themselves."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _fuzz_target import Target
from _fuzz_text import ROOT, command, put, register_seeds, support


def _artifacts(folder: Path) -> Path:
    """Write a cycle's artifacts, as small as they can be."""
    support("report").write_inputs(folder, ("small",), ("byte-ngram",), ("da",), n_items=4)
    return folder / "artifacts"


def _written(name: str) -> Callable[[Path], list[bytes]]:
    """Return one file of simulated artifacts as a seed."""
    return lambda folder: [(_artifacts(folder) / name).read_bytes()]


def _loads(**places: str) -> Callable[[bytes, Path], None]:
    """Return a reader of the one file named by a field of `ReportInputs`, as `skald report build` has it."""
    ((field, place),) = places.items()

    def call(data: bytes, folder: Path) -> None:
        from skald_report.reading.inputs import ReportInputs, load

        path = put(folder, place, data)
        several = field in ("points", "plans", "runs", "evaluations")
        where = path.parent if field in ("runs", "evaluations", "manifests") else path
        given: Any = {field: (where,) if several else where}
        load(ReportInputs(**given))

    return call


def _summary(data: bytes, folder: Path) -> None:
    items = folder / "eval/core/items.jsonl"
    if not items.is_file():
        made = _artifacts(folder / "made") / "eval/core/items.jsonl"
        put(folder, "eval/core/items.jsonl", made.read_bytes())
    _loads(evaluations="eval/core/summary.json")(data, folder)


def _scores(_: Path) -> list[bytes]:
    lines = (ROOT / "evals/published/scores.csv").read_bytes().split(b"\n")
    return [b"\n".join([*lines[:5], b""])]


def _published(name: str) -> Callable[[bytes, Path], None]:
    def call(data: bytes, folder: Path) -> None:
        from skald_report.reading.published import read_published

        put(folder, f"published/{name}", data)
        read_published(folder / "published")

    return call


def _import(data: bytes, folder: Path) -> None:
    put(folder, "da_all.csv", data)
    command(
        "report", "import-published", "da_all.csv", "--date", "2026-01-01", "--out", "imported"
    )()


def _board_seeds(_: Path) -> list[bytes]:
    head = "<span>Task Type</span>,<span>dummy</span>,,,<a href='https://euroeval.com/tasks/linguistic-acceptability/'>x</a>,"
    names = "Model,Type,Rank,Parameters,<a href='https://euroeval.com/datasets/danish#scala_da'>scala_da</a>,scala_da_version"
    rows = [
        "<a href='https://hf.co/a/b'>a/b</a>,🧠,1.3@@1.3,7800000000.0,1.50 ± 0.98 / 33.10 ± 1.20@@1.50,16.1.0@@160100",
        "\"<a href='x'>a/b (zero-shot, val)</a>\",📝,1.3@@1.3,?,-0.10 ± 0.00@@-0.1,-",
        "bert,🔍,1,1,-@@-1,-",
    ]
    return ["\n".join([head, names, *rows]).encode()]


def _collection_seeds(_: Path) -> list[bytes]:
    from skald_report.landscape.collection import _COLUMNS

    row = {
        "model": "a/b", "eu": "yes", "params_b": "8.03", "language": "Danish", "task": "euroeval/summarization/x",
        "shots": "1", "metric": "bertscore", "score": "14.55", "stderr_of_bootstrap_mean": "1.388",
        "model_type": "base", "split": "test", "harness_version": "16", "source": "x", "source_date": "2026-01-07",
        "notes": "OLDER SNAPSHOT",
    }  # fmt: skip
    other = row | {"task": "mine/x", "metric": "acc", "params_b": "", "eu": "no"}
    lines = [
        ",".join(_COLUMNS),
        *(",".join(one[name] for name in _COLUMNS) for one in (row, other)),
    ]
    return ["\n".join(lines).encode()]


def _packed_seeds(folder: Path) -> list[bytes]:
    return [
        gzip.compress(data, mtime=0) for data in (*_board_seeds(folder), *_collection_seeds(folder))
    ]


@functools.cache
def _small_report() -> bytes:
    """Return the reference report with one row a table, and few tables."""
    report = json.loads((ROOT / "reports/reference/report.json").read_bytes())
    keep = ("models", "scores", "differences", "overall", "pairwise", "plans", "tasks", "claims")
    report["tables"] = {
        name: table | {"rows": table["rows"][:2]}
        for name, table in report["tables"].items()
        if name in keep
    }
    report["remarks"] = {}
    return json.dumps(report).encode()


def _read_report(data: bytes, folder: Path) -> None:
    from skald_report.tables.file import read_report

    put(folder, "new/report.json", data)
    read_report(folder / "new")


def _report(data: bytes, folder: Path) -> None:
    put(folder, "new/report.json", data)
    if not (folder / "old/report.json").is_file():
        put(folder, "old/report.json", _small_report())
    command("report", "compare", "old", "new")()


def _verify(data: bytes, folder: Path) -> None:
    from skald_report.verify import verify_report

    put(folder, "new/report.json", data)
    made = folder / "made"
    if not made.is_dir():
        _artifacts(made)
    verify_report(folder / "new", {"core": made / "artifacts/eval/core"})


def _cards(data: bytes, folder: Path) -> None:
    put(folder, "new/report.json", data)
    command("report", "cards", "new")()


def _card(data: bytes, folder: Path) -> None:
    if not (folder / "new/report.json").is_file():
        report = json.loads((ROOT / "reports/reference/report.json").read_bytes())
        tables = {n: t for n, t in report["tables"].items() if n in ("models", "scores", "plans")}
        put(folder, "new/report.json", json.dumps(report | {"tables": tables}).encode())
    put(folder, "new/cards/mini-2.6b.md", data)
    from skald_report.cards.check import problems

    problems(data.decode("utf-8", "replace"), "mini-2.6b", _card_scores())


@functools.cache
def _card_scores() -> Any:
    import pandas as pd
    from skald_report.tables.file import rows_of

    report = json.loads((ROOT / "reports/reference/report.json").read_bytes())
    scores = pd.DataFrame(rows_of(report, "scores"))
    return scores[scores["model"] == "mini-2.6b"][:2]


def _card_seeds(_: Path) -> list[bytes]:
    text = (ROOT / "reports/cards/mini-2.6b.md").read_text()
    block, rest = text.split("\n---\n", 1)
    few = block.split("\n  - task:")[:3]
    return [("\n  - task:".join(few) + "\n---\n" + rest[:300]).encode()]


def _measures(data: bytes, folder: Path) -> None:
    from skald_report.tables.evidence import evidence_tables

    put(folder, "evidence/mup/measures.json", data)
    evidence_tables(folder / "evidence")


def _measures_seeds(_: Path) -> list[bytes]:
    rows = json.loads((ROOT / "reports/evidence/mup/measures.json").read_bytes())
    return [json.dumps(rows[:3]).encode()]


def _evidence_table(data: bytes, folder: Path) -> None:
    from skald_report.reading.evidence import read_evidence

    read_evidence(put(folder, "evidence/mup/width.csv", data))


def _evidence_table_seeds(_: Path) -> list[bytes]:
    lines = (ROOT / "reports/evidence/mup/width.csv").read_bytes().split(b"\n")
    return [b"\n".join(lines[:4])]


def _release(data: bytes, folder: Path) -> None:
    from skald_report.over_time.releases import releases

    put(folder, "reports/releases/v1/release.json", data)
    releases(folder / "reports")


def _release_seeds(_: Path) -> list[bytes]:
    made = {"schema_version": 1, "name": "v1", "number": 1, "date": "2026-01-02", "before": None}
    return [json.dumps(made).encode()]


def _manifest_seeds(_: Path) -> list[bytes]:
    from skald_specs.manifest import RunManifest

    made = RunManifest(
        schema_version=1, station="train", name="small", git_commit="a", git_dirty=False, constraints_sha256="b",
        data_dvc_md5="c", plan_fingerprint="d", layout={"dp": 1}, seeds={"model": 1}, tokens_seen=10, hardware="x",
        python="3.11", libraries={"torch": "2"}, wall_seconds=1.0, cpu_seconds=2.0, energy_joules={"cpu": 3.0},
    )  # fmt: skip
    return [json.dumps(made.model_dump(mode="json")).encode()]


def _manifest(data: bytes, folder: Path) -> None:
    from skald_report.reading.manifests import read_manifests

    put(folder, "manifests/train-small.json", data)
    read_manifests(folder / "manifests", ["small"], ["core"])


TARGETS = (
    Target("evaluation summary", _written("eval/core/summary.json"), _summary, (b"models", b"tasks", b"flags")),
    Target("corpus.json", _written("corpus/corpus.json"), _loads(corpus="corpus.json"), (b"shards", b"recipe")),
    Target("run manifest", _manifest_seeds, _manifest, (b"energy_joules", b"layout")),
    Target("report", lambda _: [_small_report()], _read_report, (b"tables", b"rows", b"columns", b"keys", b"units"), whole=_report),
    Target("report to verify", lambda _: [_small_report()], _read_report, (b"published", b"cost", b"rows", b"columns"), whole=_verify),
    Target("report for cards", lambda _: [_small_report()], _cards, (b"role", b"baseline", b"rows", b"columns")),
    Target("model card", _card_seeds, _card, (b"---\n", b"model-index", b"results", b"metrics", b"## ")),
    Target("measures", _measures_seeds, _measures, (b"measure", b"holds", b"bound")),
    Target("table of a proof", _evidence_table_seeds, _evidence_table, (b",", b"nan")),
    Target("release", _release_seeds, _release, (b"date", b"number")),
    Target("published scores", _scores, _published("scores.csv"), (b"eu", b"model", b"score", b"yes")),
    Target("published models", lambda _: [(ROOT / "evals/published/models.yaml").read_bytes()],
           _published("models.yaml"), (b"labels", b"checkpoints")),
    Target("leaderboard", _board_seeds, _import, (" ± ".encode(), b"@@", b"/datasets/", b"/tasks/", b"Type")),
    Target("collection", _collection_seeds, _import, (b"language", b"task", b"OLDER SNAPSHOT")),
    Target("packed leaderboard", _packed_seeds, _import, (b"\x1f\x8b",)),
    Target("register for a report", register_seeds, _loads(register="models.yaml"), (b"models", b"hub_id", b"eu", b"params_b")),
)  # fmt: skip
