"""Little random checkpoints of the architectures that others publish, and ways to spoil them."""

import json
from pathlib import Path

import support_harness
from skald_specs.corpus import END_OF_TEXT
from skald_specs.files import write_json

VOCAB = 320
#: What every configuration shares; the rest is its class's own.
_SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
    # Large enough that every position has a clear argmax.
    "initializer_range": 0.1,
}
_OWN = {
    "llama": {"num_key_value_heads": 2, "tie_word_embeddings": False},
    "mistral": {"num_key_value_heads": 2, "sliding_window": None},
    "gemma": {"num_key_value_heads": 1, "head_dim": 8},
    "gpt_neox": {"rotary_pct": 0.5},
    "qwen2": {"num_key_value_heads": 2, "tie_word_embeddings": True},
}
ARCHITECTURES = tuple(_OWN)


def write_checkpoint(
    folder: Path, kind: str = "llama", seed: int = 1, shard_bytes: int | None = None
) -> Path:
    """Write a checkpoint with its tokenizer, as its makers would publish it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **_SIZES, **_OWN[kind]))
    limit = {} if shard_bytes is None else {"max_shard_size": shard_bytes}
    model.save_pretrained(folder, **limit)
    support_harness.write_tokenizer(folder / "tokenizer.json", vocab_size=VOCAB)
    facts = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "model_max_length": 64,
    }
    write_json(folder / "tokenizer_config.json", facts)
    return folder


def change(path: Path, **fields) -> None:
    """Set fields of a JSON file; None removes one."""
    value = json.loads(path.read_text()) | fields
    write_json(path, {key: item for key, item in value.items() if item is not None})


def pickle_only(folder: Path) -> None:
    """Leave weights only in a file that must not be read."""
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def name_other_weights(folder: Path, factor: float = 2.0) -> None:
    """Let config.json name a file of its own, with the weights that are there times `factor`."""
    from safetensors.torch import load_file, save_file

    tensors = {k: v * factor for k, v in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "step.safetensors", metadata={"format": "pt"})
    change(folder / "config.json", transformers_weights="step.safetensors")


def add_adapter(folder: Path, rank: int = 2) -> None:
    """Put a LoRA of the first query matrix beside the weights, as peft writes it."""
    import torch
    from safetensors.torch import load_file, save_file

    name = "model.layers.0.self_attn.q_proj"
    n_out, n_in = load_file(folder / "model.safetensors")[f"{name}.weight"].shape
    parts = {"lora_A": torch.ones(rank, n_in), "lora_B": torch.ones(n_out, rank)}
    tensors = {f"base_model.model.{name}.{part}.weight": value for part, value in parts.items()}
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    facts = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank}
    write_json(
        folder / "adapter_config.json", facts | {"target_modules": ["layers.0.self_attn.q_proj"]}
    )


def lose_tensor(folder: Path, name: str) -> None:
    """Drop a tensor of a single file of weights."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors[name]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def grow_tokenizer(folder: Path, n: int = 10) -> None:
    """Add tokens that the weights have no rows for."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"extra{i}" for i in range(n)])
    tokenizer.save(str(folder / "tokenizer.json"))


def need_code(folder: Path, marker: Path) -> None:
    """Make a Llama folder one of a type that only code beside it knows; running it makes `marker`."""
    (folder / "configuration_own.py").write_text(
        "from pathlib import Path\n"
        "from transformers import LlamaConfig\n"
        f"Path({str(marker)!r}).touch()\n"
        "class OwnConfig(LlamaConfig):\n"
        "    model_type = 'own_llama'\n"
    )
    (folder / "modeling_own.py").write_text(
        "from transformers import LlamaForCausalLM\n"
        "from .configuration_own import OwnConfig\n"
        "class OwnForCausalLM(LlamaForCausalLM):\n"
        "    config_class = OwnConfig\n"
    )
    change(
        folder / "config.json",
        model_type="own_llama",
        architectures=["OwnForCausalLM"],
        auto_map={
            "AutoConfig": "configuration_own.OwnConfig",
            "AutoModelForCausalLM": "modeling_own.OwnForCausalLM",
        },
    )
