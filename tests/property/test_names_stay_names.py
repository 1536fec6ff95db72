"""Names that others chose never become shell, and never lead out of the folder they name a file of."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from skald_cli.jobscript import evaluation_script, training_script
from skald_cli.main import main
from skald_harness.models.register import HUB_ID
from skald_harness.store.evaluation import requests_path
from skald_harness.store.lm_eval_results import sanitized
from skald_report.over_time.releases import release
from skald_report.tables.exported import card_file
from skald_specs.errors import UserInputError
from skald_specs.execution import ExecutionRecipe
from skald_specs.files import inside, write_yaml
from skald_specs.languages import language
from skald_specs.models import FileName
from skald_specs.plan import Plan
from skald_specs.site import Site, Word
from support_trainer import tiny_corpus, tiny_plan

EVIL = (
    "$(touch owned)", "`touch owned`", "'; touch owned; '", '"; touch owned; "', "a\ntouch owned\n",
    "a b  c", "-rf", "--wrap=x", "\\'$(touch owned)", "${IFS}touch${IFS}owned", "* ? [a]", "~root",
    "!!", "# x", "a\r\ntouch owned", "<(touch owned)", "ø 名 \u202e", "&& touch owned", "| tee owned",
)  # fmt: skip
PATHS = (
    "..", ".", "", "/", "../a", "../../etc/passwd", "/etc/passwd", "a/../../b", "a/b", "..\\a",
    "a\0b", "./a", "a/.", "~", "..%2fa", "．．/a", "a\n../b", "con/../..",
)  # fmt: skip
#: Anything that an argument of a program can hold.
words = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)
names = st.one_of(st.sampled_from(PATHS), st.text(max_size=30), words.map(lambda w: f"../{w}"))
LAYOUT = ExecutionRecipe.model_validate(
    {"micro_batch_sequences": 1, "checkpoint_every_steps": 1, "validate_every_steps": 1}
)
#: Says its words one by one, each ended by a zero byte, as the scheduler's step would get them.
SRUN = """#!/bin/bash
printf '%s\\0' "$@" >"$SAID"
"""
SBATCH = """#!/bin/bash
exec bash "$1"
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    for name, body in (("srun", SRUN), ("sbatch", SBATCH), ("scontrol", "#!/bin/bash\necho a\n")):
        (folder / name).write_text(body)
        (folder / name).chmod(0o755)
    return folder


def site(value: str) -> Site:
    return Site.check(
        {
            "name": "here", "time": "60", "gpus_per_node": 0, "cpus_per_process": 1,
            "environment": {"EVIL": value}, "container": value,
        },
        "here",
    )  # fmt: skip


def submitted(text: str, cluster: Path) -> list[str]:
    """Submit a script to a played scheduler; return the words its step was started with."""
    script, said = cluster / "job.sbatch", cluster / "said"
    script.write_bytes(text.encode())
    said.unlink(missing_ok=True)
    slurm = {
        "PATH": f"{cluster}:{os.environ['PATH']}", "SAID": str(said), "SLURM_SUBMIT_DIR": str(cluster),
        "SLURM_JOB_NODELIST": "a", "SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "5",
        "SLURM_ARRAY_TASK_ID": "0",
    }  # fmt: skip
    done = subprocess.run(
        ["sbatch", str(script)],
        env=os.environ | slurm,
        capture_output=True,
        check=False,
        cwd=cluster,
    )
    assert done.returncode == 0, done.stderr
    return said.read_bytes().decode().split("\0")[:-1]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=words.filter(bool))
@example(value=" ".join(EVIL))
@example(value="\n".join(EVIL))
def test_no_value_of_plan_site_or_path_becomes_shell(value: str, cluster: Path) -> None:
    before = sorted(path.name for path in cluster.iterdir())
    given_words = ["train", value, "--corpus", value, "--out", value, "--resume", value]
    text = training_script(site(value), value, LAYOUT, 1, given_words, Path("p"), Path("logs"))
    got = submitted(text, cluster)
    assert got[-len(given_words) :] == given_words and value in got[: -len(given_words)]
    suites = {value: Path(value), "own": Path("items")}
    text = evaluation_script(site(value), suites, ["evaluate", value], Path("p"), Path("logs"))
    asked = ["evaluate", value, "--suite", value, "--items", str(Path(value))]
    assert submitted(text, cluster)[-6:] == asked
    assert {*(path.name for path in cluster.iterdir())} <= {*before, "job.sbatch", "said"}


def test_bash_would_run_what_is_not_quoted(cluster: Path) -> None:
    text = training_script(site("x"), "n", LAYOUT, 1, ["train", "PLANTED"], Path("p"), Path("logs"))
    submitted(text.replace("PLANTED", "$(touch owned)"), cluster)
    assert (cluster / "owned").exists()
    (cluster / "owned").unlink()


@settings(max_examples=300, deadline=None)
@given(value=st.one_of(st.sampled_from((*EVIL, *PATHS)), st.text(max_size=20)))
def test_a_word_of_an_sbatch_line_is_one_line_and_one_word(value: str) -> None:
    try:
        word = TypeAdapter(Word).validate_python(value)
    except ValidationError:
        return
    assert re.fullmatch(r"[!-~]+", word) and not set(word) & set("\"'`$;&|<>(){}*?[]!#~\\")


@settings(max_examples=300, deadline=None)
@given(name=names)
def test_names_of_recipes_plans_and_corpora_stay_inside(name: str) -> None:
    try:
        TypeAdapter(FileName).validate_python(name)
    except ValidationError:
        return
    assert inside(Path("/out"), name).resolve().parent == Path("/out")


@settings(max_examples=300, deadline=None)
@given(name=names)
def test_names_of_models_stay_inside_where_files_are_named_by_them(name: str) -> None:
    folder = Path("/out/eval")
    for made in (
        lambda: requests_path(folder, name),
        lambda: inside(folder / "requests", sanitized(name)),
        lambda: folder / "requests" / card_file(name),
    ):
        try:
            path = made()
        except UserInputError:
            continue
        assert Path(os.path.normpath(path)).parent == folder / "requests"
    if re.fullmatch(HUB_ID, name):
        assert Path(os.path.normpath(folder / name)).parents[1] == folder


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=names)
def test_releases_languages_and_suites_are_names_or_refused(name: str, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    try:
        release(tmp_path / "none", reports, name, None)  # type: ignore[arg-type]  # refused before
    except UserInputError as error:
        if "is no" not in str(error) and "not 1 to 64" not in str(error):
            assert (
                Path(os.path.normpath(reports / "releases" / name)).parent == reports / "releases"
            )
    with pytest.raises(UserInputError):
        language(name, "here")
    assert not reports.exists()


@pytest.mark.parametrize("name", [name for name in PATHS if name])
def test_a_suite_is_one_of_the_folders_there_are(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evals", "list", "--suite", name]) == 2
    assert "unknown suite" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../../outside", "/outside", "..", "a/b", "a\nb"])
def test_a_plan_from_elsewhere_names_no_other_folder(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "plan.yaml", tmp_path / "runs"
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    plan.save(path)
    Plan.load(path)
    write_yaml(path, plan.model_dump(mode="json", exclude_none=True) | {"name": name})
    words = ["train", str(path), "--corpus", str(tmp_path / "corpus"), "--out", str(out)]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "name" in said and said.count("\n") == 1 and not out.exists()
