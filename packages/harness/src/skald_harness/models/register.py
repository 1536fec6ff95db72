"""The register of published models, `evals/models.yaml`: what is known of each, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from skald_specs.guesses import offer
from skald_specs.languages import BY_TAG
from skald_specs.models import Spec
from skald_specs.records import Tuning

from skald_harness.tasks.suites import EVALS

#: An id on a hub: owner and name, neither of which can walk through folders.
_PART = r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
HUB_ID = rf"^{_PART}/{_PART}$"
COMMIT = r"^[0-9a-f]{40}$"
#: Facts that must say where they were read.
FACTS = ("params_b", "languages", "license", "gated", "revision")


class RegisteredModel(Spec):
    """One published model; None stands for what no source that was read states.

    `params_b` is in billions of parameters. `languages` are those of Skald's register that a source
    names. `eu`: made in Europe. `revision` is the hub commit to evaluate. `trust_remote_code`: the
    model cannot be used without code of its repository, and a user may confirm that it is run.
    `sources` gives, for each fact that is known, the key of where it was read.
    """

    hub_id: Annotated[str, Field(pattern=HUB_ID)]
    tuning: Tuning
    eu: bool
    params_b: Annotated[float, Field(gt=0)] | None = None
    languages: tuple[str, ...] | None = None
    license: str | None = None
    gated: bool | None = None
    revision: Annotated[str, Field(pattern=COMMIT)] | None = None
    revision_pinned: bool = False
    trust_remote_code: bool = False
    notes: str = ""
    sources: dict[str, str] = Field(default_factory=dict)

    @property
    def short_name(self) -> str:
        """The id without its owner."""
        return self.hub_id.split("/")[1]

    @field_validator("languages")
    @classmethod
    def _of_the_register(cls, tags: tuple[str, ...] | None) -> tuple[str, ...] | None:
        unknown = [tag for tag in tags or () if tag not in BY_TAG]
        if unknown:
            raise ValueError(f"unknown language {unknown[0]!r}. {offer(unknown[0], BY_TAG)}")
        return tags

    @model_validator(mode="after")
    def _flagged(self) -> Self:
        if self.revision_pinned != (self.revision is not None):
            raise ValueError("`revision_pinned` must say whether `revision` holds a commit")
        known = {fact for fact in FACTS if getattr(self, fact) is not None}
        if known != set(self.sources):
            odd = sorted(known ^ set(self.sources))[0]
            rule = "has no source" if odd in known else "has a source but no value"
            raise ValueError(f"{self.hub_id}: `{odd}` {rule}. Facts go with where they were read")
        return self


class ModelRegister(Spec):
    """The whole register; `sources` says what each key of a model's sources stands for."""

    schema_version: Literal[2]
    sources: dict[str, str]
    models: tuple[RegisteredModel, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [model.hub_id.lower() for model in self.models]
        for model in self.models:
            if ids.count(model.hub_id.lower()) > 1:
                raise ValueError(f"{model.hub_id} stands twice. Remove one")
            for key in model.sources.values():
                if key not in self.sources:
                    raise ValueError(f"{model.hub_id}: unknown source {key!r}. Add it to `sources`")
        return self


def load_register(path: Path = EVALS / "models.yaml") -> ModelRegister:
    """Read the register.

    Raises:
        UserInputError: It is missing or malformed.
    """
    return ModelRegister.load(path)
