"""The plan: consequence. Each resolved number with its standing; all that the trainer reads.

`identity` holds everything that changes the result and is fingerprinted; `execution` how it is
computed, and `outlook` what is expected of it: neither is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar, get_args

from pydantic import Field, model_validator

from skald_specs.errors import UserInputError
from skald_specs.execution import ExecutionRecipe
from skald_specs.files import write_yaml
from skald_specs.fingerprint import fingerprint
from skald_specs.guard import GuardRecipe
from skald_specs.kinds import Kind
from skald_specs.mixture import MAX_EPOCHS
from skald_specs.models import FileName, Spec
from skald_specs.outlook import Outlook
from skald_specs.shape import DType, ModelShape

N = TypeVar("N", int, float)
Standing = Literal["given", "derived", "fitted", "assumed"]

#: Probability that an interval of a plan or of a fit is meant to cover.
COVERAGE = 0.9
#: The same in words.
COVERED = f"{100 * COVERAGE:.0f} %"
#: What a plan's name ends in that trains a baseline with the optimum of the proxies' longest horizon as it
#: is: the control of time transfer, which is no baseline itself.
UNTRANSFERRED = "-untransferred"

#: No number of a plan is larger; sums and products of such are still numbers.
LARGEST = 1e30

#: Stands for the corpus of a plan that was made without one; no corpus has it.
NO_CORPUS = ""

#: Every kind of tensor a decoder can have; the rule table has one row for each. The norms are
#: their gains: before attention and MLP, of queries and keys, and before the readout.
TensorKind = Literal[
    "embedding", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    "block_norm", "qk_norm", "final_norm", "lm_head",
]  # fmt: skip
TENSOR_KINDS: tuple[TensorKind, ...] = get_args(TensorKind)


def _is_off(value: Any) -> bool:
    """Leave an option out of the fingerprint, and of the page, where a plan does not use it."""
    return value in (False, None, GuardRecipe())


class Quantity(Spec, Generic[N]):
    """A resolved number, where it comes from, and how sure it is (`interval`: `COVERAGE`)."""

    value: N
    standing: Standing
    source: str = ""
    interval: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _computable(self) -> Self:
        if abs(self.value) > LARGEST:
            raise ValueError(f"a number beyond {LARGEST:g}; run `skald plan predict` again")
        return self


class TensorRule(Spec):
    """What the rules resolve for one kind of tensor; `lr` is the peak, `weight_decay` is torch's."""

    role: Literal["input", "hidden", "output", "vector"]
    fan_in_mult: float
    init_std: float
    lr: float
    eps: float
    weight_decay: float


class Multipliers(Spec):
    """Forward multipliers of the trained model; folding makes all of them 1 in an export.

    `attn_scale` multiplies q.k (so 1/sqrt(d_head) is the standard value).
    """

    emb_mult: float
    attn_scale: float
    residual_mult: float
    output_mult: float


class PlannedOptimizer(Spec):
    """AdamW's settings that are common to all tensors, and the fitted learning rate.

    `weight_decay`: what a law made of a recipe's `horizon`, in the recipe's convention; None where the
    recipe gave a number. What training uses stands in the rules.
    """

    base_lr: Quantity[float]
    weight_decay: Annotated[Quantity[float] | None, Field(exclude_if=_is_off)] = None
    beta1: float
    beta2: float
    grad_clip: float


class PlannedSchedule(Spec):
    """Warmup-stable-decay in steps. The factor at step t (1-based) multiplies every group's lr."""

    n_steps: Quantity[int]
    warmup_steps: Quantity[int]
    decay_steps: Quantity[int]
    final_lr_fraction: float

    def factor(self, step: int) -> float:
        """Return the learning-rate factor of a step.

        Args:
            step: 1-based training step; 1 is the first update.

        Returns:
            A factor in (0, 1]: warmup rises linearly to 1 at its last step (the first step is
            above zero), decay falls linearly and would reach the final fraction one step after
            the last.
        """
        total, warmup, decay = self.n_steps.value, self.warmup_steps.value, self.decay_steps.value
        if step <= warmup:
            return step / warmup
        into_decay = step - (total - decay)
        if into_decay > 0:
            return 1 - (1 - self.final_lr_fraction) * into_decay / (decay + 1)
        return 1.0


class PlannedData(Spec):
    """Which corpus, in which shares, in which order, and how much of its validation text.

    `validation_tokens` is shared equally among languages; None: all there is. `mask_documents`: no
    token attends across the end of a text.
    """

    corpus_fingerprint: str
    mixture: dict[str, float]
    seed: int
    validation_tokens: int | None = None
    mask_documents: Annotated[bool, Field(exclude_if=_is_off)] = False


class PlanIdentity(Spec):
    """Everything that changes the result."""

    model: ModelShape
    n_params_total: Quantity[int]
    n_params_non_embedding: Quantity[int]
    rules: dict[TensorKind, TensorRule]
    multipliers: Multipliers
    optimizer: PlannedOptimizer
    schedule: PlannedSchedule
    global_batch_tokens: Quantity[int]
    horizon_tokens: Quantity[int]
    data: PlannedData
    dtype: DType
    model_seed: int
    guard: Annotated[GuardRecipe, Field(exclude_if=_is_off)] = GuardRecipe()
    #: SHA-256 of the weights that training starts from; None: those of `model_seed`.
    start_weights_sha256: Annotated[str | None, Field(exclude_if=_is_off)] = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        # Gains and an output matrix of its own are what a shape may do without.
        always = [kind for kind in TENSOR_KINDS if kind.endswith("_proj") or kind == "embedding"]
        if missing := [kind for kind in always if kind not in self.rules]:
            raise ValueError(f"rules lack {missing[0]}; run `skald plan predict` again")
        return self


class Plan(Spec):
    """One run, resolved.

    `family` is `recipe_family` of its recipe and `recipe_fingerprint` the hash of all of it but
    `execution`; a plan made without a recipe has none. `epochs`: how often each language's text is read; more than
    `max_epochs` is refused.
    """

    file_kind: ClassVar[Kind | None] = "plan"

    schema_version: Literal[1]
    name: FileName
    identity: PlanIdentity
    execution: ExecutionRecipe
    outlook: Outlook | None = None
    family: str = ""
    recipe_fingerprint: str = ""
    epochs: dict[str, float] = Field(default_factory=dict)
    max_epochs: float = MAX_EPOCHS

    @model_validator(mode="after")
    def _layout_fits(self) -> Self:
        self.execution.check_fits(self.identity.model, self.batch_sequences)
        return self

    @property
    def fingerprint(self) -> str:
        """Hash of the identity's values; standings and intervals do not enter."""
        return fingerprint(_values(self.identity.model_dump(mode="json")))

    @property
    def batch_sequences(self) -> int:
        """Sequences in a global batch."""
        return self.identity.global_batch_tokens.value // self.identity.model.seq_len

    @property
    def grad_accum_steps(self) -> int:
        """Micro-batches each data-parallel rank runs in a step."""
        return self.execution.n_micro_batches(self.batch_sequences)

    def check_corpus_known(self) -> None:
        """Check that the plan says what it reads.

        Raises:
            UserInputError: It was made without a corpus.
        """
        if self.identity.data.corpus_fingerprint == NO_CORPUS:
            raise UserInputError(
                f"plan {self.name}",
                "made without a corpus, so nothing says what it reads",
                "Run `skald plan predict` on its recipe again where the corpus lies",
            )

    def save(self, path: Path) -> None:
        """Write the plan as YAML, atomically."""
        write_yaml(path, self.model_dump(mode="json", exclude_none=True))


def _values(node: Any) -> Any:
    if isinstance(node, dict):
        if "standing" in node and "value" in node:
            return node["value"]
        return {key: _values(item) for key, item in node.items()}
    return [_values(item) for item in node] if isinstance(node, list) else node
