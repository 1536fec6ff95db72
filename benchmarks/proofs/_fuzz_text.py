"""Documents that a user writes or hands over: YAML, JSON and tables, each by the reader that the command runs."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _fuzz_target import Target

ROOT = Path(__file__).parents[2]


def files(*patterns: str) -> Callable[[Path], list[bytes]]:
    """Return seeds that are files of the repository."""

    def read(_: Path) -> list[bytes]:
        return [path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern))]

    return read


def texts(*seeds: str) -> Callable[[Path], list[bytes]]:
    """Return seeds that are written out."""
    return lambda _: [seed.encode() for seed in seeds]


def register_seeds(_: Path) -> list[bytes]:
    """Return the register of models with the first of them."""
    import yaml

    register = yaml.safe_load((ROOT / "evals/models.yaml").read_text())
    register["models"] = register["models"][:3]
    return [yaml.safe_dump(register).encode()]


def put(folder: Path, name: str, data: bytes) -> Path:
    """Write an input where its reader looks."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def support(name: str) -> Any:
    """Return what the tests share, which has no types."""
    return importlib.import_module(f"support_{name}")


@functools.cache
def command(*words: str) -> Callable[[], Any]:
    """Return what runs a command line in this process, errors uncaught."""
    from skald_cli.main import build_parser

    args = build_parser().parse_args(words)
    return lambda: args.run(args)


@functools.cache
def _own_recipe() -> Any:
    from skald_specs.recipe import Recipe

    return Recipe.load(ROOT / "recipes" / "own-text.yaml")


def _read_recipe(data: bytes, folder: Path) -> None:
    from skald_specs.recipe import Recipe

    Recipe.load(put(folder, "recipe.yaml", data))


def _recipe(data: bytes, folder: Path) -> None:
    put(folder, "recipe.yaml", data)
    command("plan", "show", "recipe.yaml")()
    command("plan", "memory", "recipe.yaml", "--layout", "1,1,1")()
    _planned(folder / "recipe.yaml")


def _planned(path: Path) -> Any:
    from skald_planner.deciding.predicted import predicted_plan
    from skald_specs.recipe import Recipe

    recipe = Recipe.load(path)
    if recipe.optimizer.base_lr == "sweep":
        return _proxies(recipe)
    return predicted_plan(recipe, None, None)


def _proxies(recipe: Any) -> Any:
    from skald_planner.plans.proxy import proxy_plans

    corpus_for = support("planner").corpus_for

    return proxy_plans(recipe, corpus_for(recipe)) if recipe.sweep is not None else None


def _plan_seeds(folder: Path) -> list[bytes]:
    made = support("report")
    plan = made.make_plan("small", made._corpus(["da", "sv"], "text"), 64)
    plan.model_copy(update={"outlook": made.make_outlook(0)}).save(folder / "simulated.yaml")
    _any_plan().save(folder / "plan.yaml")
    return [(folder / name).read_bytes() for name in ("simulated.yaml", "plan.yaml")]


def _read_plan(data: bytes, folder: Path) -> None:
    from skald_specs.plan import Plan

    Plan.load(put(folder, "plan.yaml", data))


def _plan(data: bytes, folder: Path) -> None:
    put(folder, "plan.yaml", data)
    command("plan", "show", "plan.yaml")()
    command("plan", "memory", "plan.yaml", "--layout", "1,1,1")()


def _two_plans(data: bytes, folder: Path) -> None:
    put(folder, "plan.yaml", data)
    if not (folder / "other.yaml").is_file():
        _planned(ROOT / "recipes" / "own-text.yaml").save(folder / "other.yaml")
    command("plan", "compare", "plan.yaml", "other.yaml")()
    command("plan", "compare", "other.yaml", "plan.yaml")()


def _fit_seeds(folder: Path) -> list[bytes]:
    support("report").make_fit().save(folder / "fit.json")
    return [(folder / "fit.json").read_bytes()]


def _read_fit(data: bytes, folder: Path) -> None:
    from skald_specs.timefit import TimeFit

    TimeFit.load(put(folder, "fit.json", data))


def _fit(data: bytes, folder: Path) -> None:
    from skald_planner.deciding.predicted import predicted_plan
    from skald_specs.timefit import TimeFit

    fit = TimeFit.load(put(folder, "fit.json", data))
    command("plan", "show", "fit.json")()
    predicted_plan(_own_recipe(), None, fit)


_SOURCES = """
schema_version: 1
name: two-languages
about: A corpus.
sources:
  - {id: wiki-da, language: da, kind: curated, path: "text/*.txt", licence: CC-BY-SA-4.0, citation: Somebody,
     fields: {text: text, id: id}}
  - {id: web-sv, language: sv, kind: web, licence: CC0-1.0,
     hub: {dataset: a/b, revision: main, files: ["data/*.parquet"], most_files: 2}}
rights: {allow_licences: [CC-BY-SA-4.0, CC0-1.0], reservations: annotate, robots: robots, ledger: ledger.txt}
language: {reference: reference, margin: -0.25}
quality: {quantile: 0.02}
pii: {languages: [da]}
duplicates: {exact: true, near: {}}
decontamination: {against: [{path: items, layout: skald}]}
validation_fraction: 0.1
shards: {recipe: recipe.yaml, mixture: {method: temperature, alpha: 0.3, max_epochs: 4}}
"""


def _sources_seeds(_: Path) -> list[bytes]:
    found = [path.read_bytes() for path in sorted((ROOT / "sources").glob("*.yaml"))]
    return [min(found, key=len), _SOURCES.encode()]


def _sources(data: bytes, folder: Path) -> None:
    from skald_cli.pipelining import Pipeline

    path = put(folder, "sources.yaml", data)
    if not (folder / "text").is_dir():
        put(folder, "text/a.txt", b"En tekst.\n")
    Pipeline(path, folder.absolute()).compiled()


def _site_seeds(_: Path) -> list[bytes]:
    found = [path.read_text() for path in sorted((ROOT / "sites").glob("*.yaml"))]
    return [re.sub("(?m)^name:.*", "name: here", text).encode() for text in found]


def _site(data: bytes, folder: Path) -> None:
    from skald_cli.jobscript import evaluation_script, training_script
    from skald_cli.launching import load_site, nodes_for

    put(folder, "here.yaml", data)
    site = load_site("here.yaml", account="a", time=None, container=None)
    plan = _any_plan()
    nodes = nodes_for(site, plan.execution)
    training_script(site, plan.name, plan.execution, nodes, ["train"], Path("python"), Path("logs"))
    evaluation_script(site, {"core": Path("items")}, ["evaluate"], Path("python"), Path("logs"))


@functools.cache
def _any_plan() -> Any:
    plan = _planned(ROOT / "recipes" / "own-text.yaml")
    execution = plan.execution.model_copy(update={"threads_per_process": 1})
    return plan.model_copy(update={"execution": execution})


def _slurm(data: bytes, folder: Path) -> None:
    from skald_specs.slurm import SlurmSettings

    SlurmSettings.load(put(folder, "slurm.yaml", data))


def _params(data: bytes, folder: Path) -> None:
    from argparse import Namespace

    from skald_cli.reporting import _named

    put(folder, "params.yaml", data)
    _named(Namespace(names=[], suites=None))


_RUNS = """width,depth,n_params_total,n_params_non_embedding,horizon_tokens,global_batch_tokens,lr,schedule,seed,loss,loss_se,diverged,fingerprint,family
64,2,200000,100000,1000000,4096,0.001,wsd,1,2.5,0.01,false,ab,{}
64,2,200000,100000,1000000,4096,0.002,wsd,1,2.4,0.01,false,ac,{}
64,2,200000,100000,2000000,8192,0.004,wsd,1,,,true,ad,{}
"""
_FOREIGN = """N;D;bs;seq;lr;val loss;div
"100000",1000000,32,2048,1e-3,2.51,0
100000,1000000,32,2048,2e-3,2.43,0
"""
_MAP = """schema_version: 1
loss_unit: nats/token
source: a paper
columns:
  n_params_non_embedding: {column: N}
  horizon_tokens: {column: D, scale: 1.0e2}
  global_batch_tokens: {column: bs, times: [seq]}
  lr: {column: lr}
  loss: {column: val loss}
  schedule: {value: cosine}
  diverged: {column: div}
"""


def _columns(data: bytes, folder: Path) -> None:
    from skald_planner.fitting.runs import read_runs
    from skald_specs.columns import ColumnMap

    columns = ColumnMap.load(put(folder, "map.yaml", data))
    table = folder / "runs.csv"
    if not table.is_file():
        table.write_text(_FOREIGN.replace(";", ","))
    read_runs(table, columns)


def _runs(data: bytes, folder: Path) -> None:
    from skald_planner.fitting.runs import read_runs

    read_runs(put(folder, "runs.csv", data), None, None)


def _thresholds(data: bytes, folder: Path) -> None:
    from skald_corpus.filters.quality import QualityFilter, QualityThresholds

    accept = QualityFilter(QualityThresholds.load(put(folder, "quality.yaml", data)), "web")
    accept("En kort tekst om ingenting.", "da")


def _ledger(data: bytes, folder: Path) -> None:
    from skald_corpus.filters.tdm import Ledger

    ledger = Ledger.load(put(folder, "ledger.txt", data))
    ledger.judge("En tekst", "wiki/1", "https://www.example.org/side?x=1")


def _robots(data: bytes, folder: Path) -> None:
    from skald_corpus.filters.robots import RobotsSnapshot
    from skald_specs.files import read_text

    snapshot = RobotsSnapshot(read_text(put(folder, "example.org.txt", data)))
    snapshot.judge("https://example.org/" + "private/" * 20 + "x.html?y=" + "a" * 200)


def _pin_seeds(folder: Path) -> list[bytes]:
    from skald_corpus.pin import directory_md5

    put(folder, "data/a.txt", b"text")
    md5 = directory_md5(folder / "data")
    return [f"outs:\n- md5: {md5}\n  size: 4\n  nfiles: 1\n  hash: md5\n  path: data\n".encode()]


def _pin(data: bytes, folder: Path) -> None:
    from skald_corpus.pin import verify

    put(folder, "data/a.txt", b"text")
    verify(folder / "data", put(folder, "data.dvc", data))


_LEDGER = """# opt-outs
2026-01-31 domain example.org asked by mail
2026-02-01 url https://www.example.org/side?x=1#top asked
2026-02-01 id wiki/1 asked by the author
2026-02-02 sha256 0000000000000000000000000000000000000000000000000000000000000000 no reason
"""
_ROBOTS = """User-agent: *
Disallow: /private*/x$
Allow: /private/y
User-agent: GPTBot
User-agent: CCBot
Disallow: /
Sitemap: https://example.org/sitemap.xml
"""
_SLURM = "schema_version: 1\npartition: cpu\ntime: 04:00:00\ncpus: 2\nsbatch: {account: a}\n"
_PARAMS = (
    "sweep: mini-proxy\nbaselines: [a, b]\ncontrols: [a]\nlanguages: [da, sv]\nsuites: [core]\n"
)
_QUALITY = """schema_version: 1
source: reference
quantile: 0.01
languages:
  da:
    n_documents: 10
    stop_words: [og, i]
    limits: {n_words: {min: 1, max: 1000, source: x}, alphabetic_share: {min: 0.5}}
    'off': {symbol_ratio: reason}
"""

TARGETS = (
    Target("recipe", files("recipes/mini-proxy.yaml", "recipes/own-text.yaml"),
           _read_recipe, (b"corpus", b"mixture", b"parametrisation", b"sweep", b"base_lr", b"execution", b"horizon"), whole=_recipe),
    Target("plan", _plan_seeds, _read_plan, (b"identity", b"standing", b"derived", b"value", b"rules", b"outlook"), whole=_plan),
    Target("two plans", _plan_seeds, _read_plan, (b"identity", b"standing", b"value"), whole=_two_plans),
    Target(
        "time fit", _fit_seeds, _read_fit, (b"families", b"runs", b"optima", b"table"), whole=_fit
    ),
    Target("sources", _sources_seeds, _sources, (b"sources", b"hub", b"path", b"rights", b"shards", b"**", b"../*")),
    Target("site", _site_seeds, _site, (b"sbatch", b"environment", b"modules", b"time", b"1-00:00:00")),
    Target("slurm settings", texts(_SLURM), _slurm, (b"partition", b"time", b"sbatch")),
    Target("params", texts(_PARAMS), _params, (b"sweep", b"baselines", b"suites")),
    Target("column map", texts(_MAP), _columns, (b"columns", b"times", b"scale", b"value", b"lr", b"loss")),
    Target("table of runs", texts(_RUNS), _runs, (b"width", b"lr", b"loss", b"diverged", b"family", b"nan")),
    Target("quality limits", texts(_QUALITY), _thresholds, (b"languages", b"limits", b"n_words", b"off")),
    Target("opt-out ledger", texts(_LEDGER), _ledger, (b"domain", b"url", b"id", b"sha256", b"2026-01-31")),
    Target("robots.txt", texts(_ROBOTS), _robots, (b"User-agent: ", b"Disallow: ", b"Allow: ", b"*", b"$")),
    Target("data pin", _pin_seeds, _pin, (b"outs", b"md5", b".dir")),
)  # fmt: skip
