"""Exported models on disk: what they are, whether they hold together, and how to load them.

Reads plain Hugging Face folders of the architectures that `skald export` writes, offline and without
running code from them.
Refuses to know tasks and scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skald_mup.huggingface import ARCHITECTURES
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, sha256_file
from skald_specs.fingerprint import fingerprint

if TYPE_CHECKING:
    import torch

_REMEDY = "Run `skald export` for it first"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Export:
    """One export folder.

    `identity` holds the hashes of every file that can change an answer; `weights_sha256` and
    `tokenizer_sha256` are those of the weights and of tokenizer.json.
    """

    path: Path
    name: str
    config: dict[str, Any]
    n_params_total: int
    dtype: str
    weights_sha256: str
    tokenizer_sha256: str
    identity: dict[str, str]

    @property
    def architecture(self) -> str:
        """The class of transformers that computes it."""
        return str(self.config["architectures"][0])

    @property
    def about(self) -> str:
        """The shape in words."""
        c = self.config
        return (
            f"{self.architecture.removesuffix('ForCausalLM')} decoder, {c['num_hidden_layers']} layers, d_model {c['hidden_size']}, "
            f"vocabulary {c['vocab_size']}, context {c['max_position_embeddings']} tokens"
        )


def read_export(folder: Path) -> Export:
    """Read an export folder's facts and check that its parts belong together.

    Raises:
        UserInputError: The folder or a file of it is missing, it is of another
            architecture, or its tokenizer has more tokens than its weights have rows.
    """
    if not folder.is_dir():
        raise UserInputError(str(folder), "no such export", _REMEDY)
    config = read_json(_file(folder, "config.json"))
    if config.get("architectures") not in [[name] for name in ARCHITECTURES]:
        raise UserInputError(
            str(folder / "config.json"),
            f"`architectures` = {config.get('architectures')}: only {' and '.join(ARCHITECTURES)} "
            "are scored",
            "Name a folder written by `skald export`",
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UserInputError(str(folder), "no *.safetensors weights", _REMEDY)
    for name in _TOKENIZER_FILES:
        if not (folder / name).is_file():
            raise UserInputError(
                str(folder), f"the export has no tokenizer ({name} is missing)", _REMEDY
            )
    shapes = _shapes(weights)
    _check_vocabulary(folder, config, shapes)
    hashes = {path.name: sha256_file(path) for path in weights}
    identity = hashes | {
        name: sha256_file(folder / name) for name in ("config.json", *_TOKENIZER_FILES)
    }
    n_params = 0
    for shape in shapes.values():
        size = 1
        for length in shape:
            size *= length
        n_params += size
    return Export(
        path=folder,
        name=folder.resolve().name,
        config=config,
        n_params_total=n_params,
        dtype=str(config.get("dtype") or config.get("torch_dtype") or "float32"),
        weights_sha256=next(iter(hashes.values())) if len(hashes) == 1 else fingerprint(hashes),
        tokenizer_sha256=identity["tokenizer.json"],
        identity=identity,
    )


def _file(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise UserInputError(str(folder), f"not an export ({name} is missing)", _REMEDY)
    return folder / name


def _shapes(weights: list[Path]) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in weights:
        try:
            with safe_open(path, framework="numpy") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - not a dict
                    shapes[name] = tuple(tensors.get_slice(name).get_shape())
        except SafetensorError as error:
            raise UserInputError(str(path), f"damaged weights ({error})", _REMEDY) from None
    return shapes


def _check_vocabulary(
    folder: Path, config: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> None:
    from tokenizers import Tokenizer

    rows = shapes.get("model.embed_tokens.weight", (0,))[0]
    if rows != config["vocab_size"]:
        raise UserInputError(
            str(folder / "config.json"),
            f"`vocab_size` = {config['vocab_size']} but the weights have {rows} embedding rows",
            "Export the model again",
        )
    try:
        n_tokens = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    except Exception as error:  # the library raises nothing narrower
        raise UserInputError(
            str(folder / "tokenizer.json"), f"no tokenizer ({error})", _REMEDY
        ) from None
    if n_tokens > rows:
        raise UserInputError(
            str(folder / "tokenizer.json"),
            f"{n_tokens} tokens but the weights have {rows} embedding rows",
            "Put the tokenizer that the model was trained with beside the weights",
        )


def load_tokenizer(export: Export) -> Any:
    """Load the tokenizer of an export, offline."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(export.path, local_files_only=True)


def load_model(export: Export) -> torch.nn.Module:
    """Load the weights of an export in the type they are stored in, offline, for scoring.

    Raises:
        UserInputError: The weights lack a tensor of the model, which would stay random.
    """
    try:
        model, info = _class_of(export).from_pretrained(
            export.path, local_files_only=True, dtype="auto", output_loading_info=True
        )
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise UserInputError(
            str(export.path), f"the weights do not fit config.json ({first})", _REMEDY
        ) from None
    wrong = sorted(info["missing_keys"]) + sorted(info["unexpected_keys"])
    if wrong:
        raise UserInputError(
            str(export.path), f"the weights do not fit the model ({wrong[0]})", _REMEDY
        )
    return _ready(model)


def random_model(export: Export, seed: int) -> torch.nn.Module:
    """Build an untrained model with the configuration of an export.

    Args:
        export: Whose configuration.
        seed: Of the initial weights; the caller's random state is left as it was.

    Returns:
        The model, in the export's type.
    """
    import torch

    model_class = _class_of(export)
    config = model_class.config_class.from_pretrained(export.path, local_files_only=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class(config)
    return _ready(model.to(getattr(torch, export.dtype)))


def _class_of(export: Export) -> Any:
    import transformers

    return getattr(transformers, export.architecture)


def device_type() -> str:
    """Return where models run: on the GPU, where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _ready(model: Any) -> torch.nn.Module:
    placed: torch.nn.Module = model.eval().to(device_type())
    return placed
