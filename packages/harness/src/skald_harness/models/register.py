"""The register of published models, `evals/models.yaml`: what is known of each, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from skald_specs.models import Spec

from skald_harness.tasks.suites import EVALS


class RegisteredModel(Spec):
    """One published model; None stands for what no source that was read states.

    `params_b` is in billions of parameters; `revision` is the hub commit to evaluate.
    """

    hub_id: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    params_b: Annotated[float, Field(gt=0)] | None
    languages: tuple[str, ...] | None
    license: str | None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    revision_pinned: bool

    @model_validator(mode="after")
    def _flagged(self) -> Self:
        if self.revision_pinned != (self.revision is not None):
            raise ValueError("`revision_pinned` must say whether `revision` holds a commit")
        return self


class ModelRegister(Spec):
    """The whole register."""

    schema_version: Literal[1]
    models: tuple[RegisteredModel, ...]


def load_register(path: Path = EVALS / "models.yaml") -> ModelRegister:
    """Read the register.

    Raises:
        UserInputError: It is missing or malformed.
    """
    return ModelRegister.load(path)
