"""What a run folder's content was made from, so that nothing stale is ever taken for done."""

from __future__ import annotations

from functools import cache
from importlib import metadata, resources
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.files import write_json
from skald_specs.fingerprint import fingerprint
from skald_specs.models import Spec
from skald_specs.plan import Plan

#: Not skald_process: what it does changes no result.
_CODE = ("skald_specs", "skald_mup", "skald_trainer")
_ENGINES = ("torch", "nanotron", "numpy", "safetensors")


class Origin(Spec):
    """Plan, corpus and code; a change of any makes an automatic continuation start afresh.

    `validate_every_steps` changes no weight, but the curve that a finished run hands on.
    """

    plan_fingerprint: str
    validate_every_steps: int
    corpus_fingerprint: str
    code_fingerprint: str

    def matches(self, path: Path) -> bool:
        """Return whether a stored origin is this one; an unreadable one is not."""
        try:
            return path.is_file() and Origin.load(path) == self
        except UserInputError:
            return False

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        write_json(path, self.model_dump())


def origin_of(plan: Plan) -> Origin:
    """Return the origin that a run of this plan has with the installed code."""
    return Origin(
        plan_fingerprint=plan.fingerprint,
        validate_every_steps=plan.execution.validate_every_steps,
        corpus_fingerprint=plan.identity.data.corpus_fingerprint,
        code_fingerprint=code_fingerprint(),
    )


@cache
def code_fingerprint() -> str:
    """Hash the sources, and the versions of the libraries, that decide a training result."""
    files = [[name, metadata.version(name)] for name in _ENGINES]
    for package in _CODE:
        root = Path(str(resources.files(package)))
        files += [
            [f"{package}/{file.relative_to(root).as_posix()}", file.read_text(encoding="utf-8")]
            for file in sorted(root.rglob("*.py"))
        ]
    return fingerprint(files)
