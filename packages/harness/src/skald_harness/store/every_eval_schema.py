"""The part of the Every Eval Ever schema (0.3.0) that Skald writes, as strict models.

The schema is wider; a file with fields that are not here is none of ours and is refused.

Source:
    github.com/evaleval/every_eval_ever, `eval.schema.json` and `instance_level_eval.schema.json`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from skald_specs.models import Spec

SCHEMA_VERSION: Literal["0.3.0"] = "0.3.0"
#: Where a file of samples lies, from the folder of the whole collection on.
SAMPLES_PATH = (
    r"^data/[^/]+/[^/]+/[^/]+/"
    r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}"
    r"_samples\.jsonl$"
)
Details = dict[str, str]
Bound = float | Literal["Infinity", "-Infinity"]


class _Strict(Spec):
    """No text for a number, nor the reverse, and no unknown fields."""

    model_config = ConfigDict(strict=True)


class SourceMetadata(_Strict):
    """Who measured, and how they stand to whoever made the model."""

    source_name: str
    source_type: Literal["evaluation_run"]
    source_organization_name: str
    evaluator_relationship: Literal["first_party", "third_party"]


class Named(_Strict):
    """A library or engine with its version and what else is known of it."""

    name: str
    version: str
    additional_details: Details


class ModelDetails(_Strict):
    """What is known of a model, all as text."""

    deployment_type: Literal["self_deployed"]
    model_availability: Literal["open_weights", "unknown"]
    role: str
    about: str
    dtype: str
    scorer: str
    weights_sha256: str
    tokenizer_sha256: str
    n_params_total: str = ""
    hub_id: str = ""
    revision: str = ""
    tuning: str = ""
    chat_template_sha256: str = ""


class ModelInfo(_Strict):
    """The model; `id` is `developer/name`."""

    name: str
    id: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$")]
    developer: str
    additional_details: ModelDetails


class SourceData(_Strict):
    """The task's data: a data set of the Hub, or one that was generated or is the user's."""

    dataset_name: str
    source_type: Literal["hf_dataset", "other"]
    hf_repo: str | None = None
    additional_details: Details

    @model_validator(mode="after")
    def _hub(self) -> Self:
        if (self.source_type == "hf_dataset") != (self.hf_repo is not None):
            raise ValueError("`hf_repo` belongs to `source_type` hf_dataset, and only to it")
        return self


class MetricConfig(_Strict):
    """The metric, which filter its answers went through where there is one, and its range."""

    evaluation_description: str
    metric_id: str
    metric_unit: str
    metric_parameters: Details | None = None
    lower_is_better: bool
    score_type: Literal["continuous"]
    min_score: Bound
    max_score: Bound


class StandardError(_Strict):
    """How far a score may lie from that of all items like these."""

    value: Annotated[float, Field(ge=0)]
    method: str


class Uncertainty(_Strict):
    """`standard_error` is None where too few keys tell nothing."""

    standard_error: StandardError | None = None
    num_samples: Annotated[int, Field(ge=1)]


class ScoreDetails(_Strict):
    """A score with its uncertainty."""

    score: float
    details: Details
    uncertainty: Uncertainty


class GenerationConfig(_Strict):
    """How items were asked; nothing was sampled."""

    generation_args: dict[str, float]
    additional_details: Details


class EvaluationResult(_Strict):
    """One metric of one task."""

    evaluation_result_id: str
    evaluation_name: str
    source_data: SourceData
    metric_config: MetricConfig
    score_details: ScoreDetails
    generation_config: GenerationConfig

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        metric, score = self.metric_config, self.score_details.score
        if not float(metric.min_score) <= score <= float(metric.max_score):
            raise ValueError(
                f"`score` = {score} lies outside {metric.min_score} to {metric.max_score}"
            )
        return self


class DetailedResults(_Strict):
    """The file with the items."""

    format: Literal["jsonl"]
    file_path: Annotated[str, Field(pattern=SAMPLES_PATH)]
    hash_algorithm: Literal["sha256"]
    checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    total_rows: Annotated[int, Field(ge=1)]


class EvaluationLog(_Strict):
    """One model on one suite: `<uuid>.json`."""

    schema_version: Literal["0.3.0"]
    evaluation_id: str
    retrieved_timestamp: Annotated[str, Field(pattern=r"^\d+$")]
    source_metadata: SourceMetadata
    eval_library: Named
    model_info: ModelInfo
    evaluation_results: Annotated[list[EvaluationResult], Field(min_length=1)]
    detailed_evaluation_results: DetailedResults


class SampleInput(_Strict):
    """What was asked; `raw` is the context, or the whole document."""

    raw: str
    reference: list[str]
    choices: list[str] | None = None


class SampleOutput(_Strict):
    """What was answered: the choice that was made, or the generated text."""

    raw: list[str]


class Attribution(_Strict):
    """How the answer was read from the output."""

    turn_idx: Literal[0]
    source: Literal["output.raw"]
    extracted_value: str
    extraction_method: str
    is_terminal: Literal[True]


class SampleScore(_Strict):
    """`is_correct` is false where a metric has no right and wrong."""

    score: float
    is_correct: bool


class SampleLog(_Strict):
    """One item under one metric: a line of `<uuid>_samples.jsonl`."""

    schema_version: Literal["0.3.0"]
    evaluation_id: str
    model_id: str
    evaluation_name: str
    evaluation_result_id: str
    sample_id: str
    sample_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    interaction_type: Literal["single_turn"]
    input: SampleInput
    output: SampleOutput
    answer_attribution: list[Attribution]
    evaluation: SampleScore
    metadata: Details
