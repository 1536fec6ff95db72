"""Where the stations' folders lie by default; written once, for the command line and the summary."""

from __future__ import annotations

from pathlib import Path

DATA = Path("data")
ITEMS = DATA / "items"
PIN = Path("data.dvc")
PARAMS = Path("params.yaml")
RECIPES = Path("recipes")
PIPELINES = Path("corpora")
CONSTRAINTS = Path("constraints.txt")
EVALS = Path("evals")
SITES = Path("sites")
PUBLISHED = Path("evals/published")
MODELS = Path("evals/models.yaml")

ARTIFACTS = Path("artifacts")
CORPUS = ARTIFACTS / "corpus"
CORPORA = ARTIFACTS / "corpora"
SWEEP = ARTIFACTS / "sweep"
PLANS = ARTIFACTS / "plan"
RUNS = ARTIFACTS / "runs"
EXPORTS = ARTIFACTS / "exports"
EVALUATIONS = ARTIFACTS / "eval"
ABLATION = ARTIFACTS / "ablation"
LAUNCH = ARTIFACTS / "launch"
MANIFESTS = ARTIFACTS / "manifests"
IMPORTED = ARTIFACTS / "published"
COORD_CHECK = Path("build/coord-check")

REPORTS = Path("reports")
REPORT = REPORTS / "latest"
REFERENCE = REPORTS / "reference"
EVIDENCE = REPORTS / "evidence"

CORPUS_FILE = "corpus.json"
FIT_FILE, RUNS_FILE = "fit.json", "runs.parquet"
