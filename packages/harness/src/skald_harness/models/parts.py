"""The files of a model folder, as far as they can be judged without reading a tensor's values.

Pickled weights are never opened, and code is told by name only.
"""

from __future__ import annotations

import collections
import contextlib
import math
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from skald_specs.errors import UserInputError
from skald_specs.files import read_json

WEIGHTS_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
ADAPTER_FILE = "adapter_config.json"
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt", "spiece.model",
    "sentencepiece.bpe.model", "tekken.json", "tiktoken.model",
)  # fmt: skip
_CHAT_TEMPLATES = "additional_chat_templates/*.jinja"
#: Every file beside the weights that a model is made of, as patterns.
TEXT_FILES = (
    "config.json", "generation_config.json", *TOKENIZER_FILES,
    "chat_template.jinja", "chat_template.json", _CHAT_TEMPLATES,
)  # fmt: skip
#: Ends of all that loaders of models and tokenizers open; pickled weights never are.
_READ = (".safetensors", ".json", ".jinja", ".txt", ".model", ".tiktoken", ".codes", ".tokenizer")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
#: Of any model; transformers makes lists of so many before a tensor is looked at.
_MAX_LAYERS = 10_000
AGAIN = "Download or export it again"


def read_config(path: Path) -> dict[str, Any]:
    """Read a folder's config.json.

    Raises:
        UserInputError: It is missing, damaged, of quantised weights, or sends readers elsewhere.
    """
    file = path / "config.json"
    if not file.is_file():
        raise UserInputError(
            str(path), "no model (config.json is missing)", "Name a Hugging Face folder"
        )
    config = read_json(file)
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise UserInputError(str(file), "damaged: not an object with a `model_type`", AGAIN)
    if "quantization_config" in config:
        told = config["quantization_config"]
        method = told.get("quant_method") if isinstance(told, dict) else told
        raise UserInputError(
            str(file),
            f"quantised weights (`quantization_config`: {method}), which are not scored",
            "Name the model that it was made from",
        )
    for part in (config, *config.values()):
        _check_kinds(file, part)
        _check_sent_nowhere(file, part, "transformers_weights", f"{WEIGHTS_FILE} or {INDEX_FILE}")
    _check_sent_nowhere(file, config, "configuration_files", "config.json")
    return config


def _check_kinds(file: Path, part: Any) -> None:
    """Refuse what transformers would walk through layer by layer, or take for a name of torch's."""
    for field, value in part.items() if isinstance(part, dict) else ():
        if "layer" in field and isinstance(value, int) and value > _MAX_LAYERS:
            raise UserInputError(str(file), f"`{field}` = {value}: no model has as many", AGAIN)
        if field in ("dtype", "torch_dtype") and not isinstance(value, str | None):
            raise UserInputError(str(file), f"`{field}` = {value!r} is no name of a type", AGAIN)


def _check_sent_nowhere(file: Path, value: Any, field: str, instead: str) -> None:
    """Refuse a field by which transformers reads other files than those that are checked here."""
    if isinstance(value, dict) and value.get(field) is not None:
        raise UserInputError(
            str(file),
            f"`{field}` = {value[field]!r}: only {instead} is read",
            f"Rename the file to {instead}, and remove the field",
        )


def check_only_model(where: str, names: Collection[str]) -> None:
    """Refuse an adapter, which transformers puts on top of the weights beside it.

    Args:
        where: The model, for the error.
        names: Its files.

    Raises:
        UserInputError: There is one.
    """
    if ADAPTER_FILE in names:
        raise UserInputError(
            where,
            f"an adapter ({ADAPTER_FILE}), which is not scored",
            "Merge it into its model, and name that folder",
        )


def identity_files(path: Path, trusted: bool) -> list[Path]:
    """Return every file that can change an answer, among them some that do not.

    Args:
        path: The folder.
        trusted: Whether its code may be run; that may import from folders below.

    Returns:
        The files, in the order of their names.
    """
    found = {file for file in path.iterdir() if file.suffix in _READ}
    found |= set(path.glob(_CHAT_TEMPLATES))
    if trusted:
        found |= set(path.rglob("*.py"))
    return sorted(file for file in found if file.is_file())


def code_of(path: Path) -> list[str]:
    """Return which code of its own a folder asks for, by configuration and tokenizer."""
    named: list[str] = []
    for name in ("config.json", "tokenizer_config.json"):
        if (path / name).is_file():
            value = read_json(path / name)
            wanted = value.get("auto_map") if isinstance(value, dict) else None
            for entry in (wanted or {}).values() if isinstance(wanted, dict) else [wanted]:
                parts = entry if isinstance(entry, list) else [entry]
                named += [str(part).rpartition(".")[0] + ".py" for part in parts if part]
    return sorted(set(named))


def check_code(path: Path, trusted: str | None) -> None:
    """Refuse a folder that needs code of its own, unless it is trusted; never that of others.

    Args:
        path: The folder.
        trusted: The id whose own code may run; None: none may.

    Raises:
        UserInputError: It needs code.
    """
    code = code_of(path)
    foreign = [file for file in code if "--" in file and file.split("--")[0] != trusted]
    if foreign and trusted:
        raise UserInputError(
            str(path), f"needs code of another repository ({foreign[0]})", "Name another model"
        )
    if code and not trusted:
        raise UserInputError(
            str(path),
            f"needs code of its own (`auto_map`: {', '.join(code)}), which is not run",
            "Name the model by an id that evals/models.yaml allows that, and confirm it with "
            "--trust-remote-code ID",
        )


def weight_files(path: Path) -> list[Path]:
    """Return the files of the weights, as transformers would choose them.

    Raises:
        UserInputError: There are none, or some of a set are missing.
    """
    if (path / WEIGHTS_FILE).is_file():
        return [path / WEIGHTS_FILE]
    index = path / INDEX_FILE
    if not index.is_file():
        pickles = sorted(file.name for file in path.iterdir() if file.suffix in PICKLES)
        if pickles:
            raise UserInputError(
                str(path),
                f"only pickled weights ({pickles[0]}), which are never read",
                "Convert them to safetensors",
            )
        raise UserInputError(
            str(path),
            f"no *.safetensors weights ({WEIGHTS_FILE} or {INDEX_FILE})",
            AGAIN,
        )
    value = read_json(index)
    names = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(names, dict) or not names:
        raise UserInputError(str(index), "damaged: no `weight_map`", AGAIN)
    files = sorted({str(file) for file in names.values()})
    for file in files:
        # An index that names a file elsewhere must not make us read it.
        if Path(file).name != file or not (path / file).is_file():
            raise UserInputError(
                str(path), f"{file} is missing, which {INDEX_FILE} names", "Download it again"
            )
    held = tensors([path / file for file in files])[0]
    lost = sorted(set(names) - set(held))
    if lost:
        raise UserInputError(
            str(path),
            f"{len(lost)} tensors are missing, which {INDEX_FILE} names, such as {lost[0]}",
            AGAIN,
        )
    return [path / file for file in files]


def tensors(weights: list[Path]) -> tuple[dict[str, tuple[int, ...]], str]:
    """Return the shape of every tensor, and the type that most values are stored in.

    Raises:
        UserInputError: A file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    sizes: collections.Counter[str] = collections.Counter()
    for path in weights:
        try:
            with safe_open(path, framework="numpy") as held:
                for name in held.keys():  # noqa: SIM118 - not a dict
                    part = held.get_slice(name)
                    shapes[name] = tuple(part.get_shape())
                    sizes[part.get_dtype()] += math.prod(shapes[name])
        except SafetensorError as error:
            raise UserInputError(str(path), f"damaged weights ({error})", AGAIN) from None
    kinds = [kind for kind, _ in sizes.most_common() if kind in _DTYPES]
    return shapes, _DTYPES[kinds[0]] if kinds else "float32"


def check_tokenizer_config(path: Path) -> None:
    """Refuse a tokenizer of several versions, of which transformers picks one.

    Raises:
        UserInputError: It is one, or its configuration is damaged.
    """
    file = path / "tokenizer_config.json"
    if file.is_file():
        _check_sent_nowhere(file, read_json(file), "fast_tokenizer_files", "tokenizer.json")


def check_tokenizer_files(where: str, names: Collection[str]) -> None:
    """Refuse a tokenizer of sentencepiece alone where that library is not there to read it.

    Args:
        where: The model, for the error.
        names: Its files.

    Raises:
        UserInputError: It is one.
    """
    alone = "tokenizer.model" in names and "tokenizer.json" not in names
    if alone and not find_spec("sentencepiece"):
        raise UserInputError(
            where,
            "no tokenizer.json but tokenizer.model, and sentencepiece is not installed",
            "Install sentencepiece, or put the tokenizer.json beside it",
        )


def tokenizer_of(path: Path, trusted: str | None) -> Any:
    """Return the tokenizer of a folder, offline; raises what transformers raises.

    Args:
        path: The folder.
        trusted: The id whose own code may run; None: none may. Who calls has checked it
            (`check_code`).
    """
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        path, local_files_only=True, trust_remote_code=trusted is not None
    )


def no_tokenizer(where: str, error: Exception) -> UserInputError:
    """Return the complaint about a tokenizer that cannot be read.

    Args:
        where: The folder, or the model's id.
        error: Whatever a library raised; its first words are told.
    """
    return UserInputError(
        where,
        f"no tokenizer that can be read ({first_words(error)})",
        "Put the tokenizer.json that the model was trained with beside the weights",
    )


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in one line that a file of a folder is gone or closed to us."""
    try:
        yield
    except OSError as error:
        raise UserInputError(str(path), f"cannot be read ({first_words(error)})", AGAIN) from None


def first_words(error: Exception) -> str:
    """Return what an error says, in one line of bounded length."""
    return " ".join(str(error).split())[:200] or type(error).__name__
