"""`SOURCES.yaml`: which text a corpus is made of, under which licences, and what is done to it.

Every block but `rights` may be left out: that stage is then off, and the data card says so.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from skald_specs.decontamination import Decontamination
from skald_specs.dedup import NearDuplicates
from skald_specs.guesses import offer
from skald_specs.languages import BY_TAG
from skald_specs.mixture import MixtureRule
from skald_specs.models import FileName, Spec
from skald_specs.shape import Positive

Share = Annotated[float, Field(ge=0, le=1)]
Kind = Literal["curated", "web", "synthetic"]


class HubFiles(Spec):
    """Files of a data set on the Hugging Face hub, at one commit.

    `revision` must be a commit of 40 hexadecimal digits when the corpus is built; a branch or tag
    is refused, and the commit that it stands for today is named. `files` are patterns such as
    `data/dan_Latn/train/*.parquet`, `most_files` takes the first so many of them by name.
    """

    dataset: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: str
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    most_files: Positive | None = None


class Fields(Spec):
    """Names of the columns or keys that a source has; a missing one is passed over, but for `text`.

    `key` groups what must stay in one split; None takes `key`, or else `doc`; `id` parts every
    document from every other.
    """

    text: str = "text"
    id: str = "id"
    url: str = "url"
    licence: str = "license"
    key: str | None = None


class Source(Spec):
    """One language from one place under one licence.

    Args:
        id: Short and unique; document ids and part files begin with it.
        language: BCP-47 tag.
        kind: Chooses the quality profile.
        path: Files, relative to the sources file; `*` and `**` are understood.
        hub: Files on the hub, instead of `path`.
        sha256: Of the one file, or of the lines that `sha256sum` prints for several in the order
            of their paths from the sources file's folder.
        licence: SPDX expression; a document's own licence counts instead where it has one.
        citation: Who made the text; goes into the data card.
        fields: Names of columns.
    """

    id: FileName
    language: str
    kind: Kind
    path: str | None = None
    hub: HubFiles | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    licence: str
    citation: str = ""
    fields: Fields = Fields()

    @field_validator("language")
    @classmethod
    def _registered(cls, tag: str) -> str:
        if tag not in BY_TAG:
            raise ValueError(f"not in the register. {offer(tag, BY_TAG)}")
        return tag

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError(f"source {self.id} needs one of path and hub; change it")
        return self


class RightsRule(Spec):
    """What may be used: licences, reservations of mining, robots.txt, opt-outs.

    `annotate` keeps reserved documents and counts them. Opt-outs of the ledger always go.
    """

    allow_licences: tuple[str, ...] = ()
    reservations: Literal["drop", "annotate"] = "drop"
    licensed_policies: tuple[str, ...] = ()
    robots: str | None = None
    ledger: str | None = None


class LanguageStage(Spec):
    """Language identification, by a model trained on reference text or by GlotLID.

    `reference` is a folder `<language>/*` as a recipe's source has it; give text of the neighbours
    too. Its held-out text (dev, validation, test) makes the published confusion matrix.
    """

    reference: str | None = None
    glotlid: str | None = None
    margin: float = -0.25
    neighbour_margin: float = -0.15

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.reference is None) == (self.glotlid is None):
            raise ValueError("language needs one of reference and glotlid; change it")
        return self


class QualityStage(Spec):
    """Limits of form: a YAML file, or derived from reference text, or those that Skald ships."""

    thresholds: str | None = None
    reference: str | None = None
    quantile: Annotated[float, Field(gt=0, lt=0.5)] = 0.01

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.thresholds is not None and self.reference is not None:
            raise ValueError("quality takes thresholds or reference, not both; remove one")
        return self


class PiiStage(Spec):
    """Personal data replaced by tags; languages other than these keep theirs."""

    languages: tuple[str, ...] | None = None


class DuplicatesStage(Spec):
    """Exact and near-duplicates; None turns one off."""

    exact: bool = True
    near: NearDuplicates | None = NearDuplicates()


class ReferenceList(Spec):
    """Evaluation items to look for.

    `list`: a file of `ReferenceItem` lines, as `skald evals items` writes it. `skald`: a folder
    such as data/items. `pairs`: a folder of `<language>.jsonl[.gz]` with good and bad sides.
    `sentences`: the same with `text`; `task` names it.
    """

    path: str
    layout: Literal["list", "skald", "pairs", "sentences"]
    task: str | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.layout == "sentences") != (self.task is not None):
            raise ValueError("layout sentences needs `task`, the others take none; change it")
        return self


class DecontaminationStage(Spec):
    """Evaluation items taken out of training text."""

    against: Annotated[tuple[ReferenceList, ...], Field(min_length=1)]
    rule: Decontamination = Decontamination()


class ShardsStage(Spec):
    """Tokenizer, shards and mixture for a recipe.

    `recipe` says shape, tokenizer and budget; its languages and mixture are replaced by what this
    corpus and `mixture` give, in `recipe.yaml` beside the shards.
    """

    recipe: str
    mixture: MixtureRule


class SourcesFile(Spec):
    """One corpus of real text, complete."""

    schema_version: Literal[1]
    name: FileName
    about: str
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    rights: RightsRule = RightsRule()
    language: LanguageStage | None = None
    quality: QualityStage | None = None
    pii: PiiStage | None = None
    duplicates: DuplicatesStage | None = None
    decontamination: DecontaminationStage | None = None
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    shards: ShardsStage | None = None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [source.id for source in self.sources]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"two sources are called {twice[0]}; rename one")
        return self

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of the sources, in alphabetical order."""
        return tuple(sorted({source.language for source in self.sources}))

    def source(self, name: str) -> Source:
        """Return a source by its id."""
        return next(source for source in self.sources if source.id == name)
