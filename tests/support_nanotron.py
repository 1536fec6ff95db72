"""nanotron 0.4's own Llama on a CPU: built, run and saved by its code, as its users have it.

Its model file imports flash-attn, which runs on a GPU alone; five of flash-attn's functions are
written here by what its documentation says they compute. Runs in a process of its own, because the
trainer's bridge keeps placeholders under these names.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from skald_trainer.bridge import patches
from skald_trainer.meeting import process_group
from torch.nn import functional as F

N_TOKENS = 16
REFERENCE = "reference.safetensors"


def rotate_neighbours(x_BTNH: torch.Tensor, theta: float = 10_000.0) -> torch.Tensor:
    """Rotate features 2i and 2i + 1 of each head: flash-attn's `interleaved=True`."""
    n_tokens, d_head = x_BTNH.shape[1], x_BTNH.shape[-1]
    inverse = theta ** (-torch.arange(0, d_head, 2).float() / d_head)
    angle_T1H = torch.outer(torch.arange(n_tokens).float(), inverse)[:, None]
    even, odd = x_BTNH[..., 0::2], x_BTNH[..., 1::2]
    turned = (even * angle_T1H.cos() - odd * angle_T1H.sin(), even * angle_T1H.sin() + odd * angle_T1H.cos())  # fmt: skip
    return torch.stack(turned, dim=-1).flatten(-2)


class _Rotary(torch.nn.Module):
    def __init__(self, dim: int, interleaved: bool = False) -> None:
        super().__init__()
        assert interleaved, "nanotron 0.4 trains with neighbours"

    def forward(self, q: torch.Tensor, kv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = kv[:, :, 0], kv[:, :, 1]
        return rotate_neighbours(q), torch.stack((rotate_neighbours(keys), values), dim=2)


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, max_seqlen_q: int, causal: bool, **rest: Any
) -> torch.Tensor:
    assert causal and rest["softmax_scale"] is None
    q, k, v = (x.unflatten(0, (-1, max_seqlen_q)).transpose(1, 2) for x in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    return out.transpose(1, 2).flatten(0, 1)


def _normed(x: torch.Tensor, weight: torch.Tensor, bias: None, **how: Any) -> torch.Tensor:
    assert how["is_rms_norm"]
    return F.rms_norm(x, weight.shape, weight, how["eps"])


def _fake_flash_attn() -> None:
    modules: dict[str, dict[str, Any]] = {
        "flash_attn": {},
        "flash_attn.bert_padding": {},
        "flash_attn.flash_attn_interface": {
            "flash_attn_varlen_func": _attend, "flash_attn_with_kvcache": None,
        },
        "flash_attn.layers": {},
        "flash_attn.layers.rotary": {"RotaryEmbedding": _Rotary},
        "flash_attn.ops": {},
        "flash_attn.ops.triton": {},
        "flash_attn.ops.triton.layer_norm": {"layer_norm_fn": _normed},
    }  # fmt: skip
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(content, __path__=[])
        sys.modules[name] = module
        parent, _, leaf = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], leaf, module)


def write_checkpoints(
    rank: int, world_size: int, rendezvous: Path, folder: Path, configs: dict[str, dict[str, Any]]
) -> None:
    """Save a random LlamaForTraining of each configuration, and what it computes.

    Args:
        rank: This tensor-parallel rank.
        world_size: tp.
        rendezvous: See `meeting.process_group`.
        folder: Each configuration gets a folder of its name, as nanotron's trainer lays it out.
        configs: Changes of a small LlamaConfig.
    """
    patches.apply("cpu")
    _fake_flash_attn()
    del sys.modules["nanotron.models.llama"]
    llama = importlib.import_module("nanotron.models.llama")
    p2p = llama.P2P
    llama.P2P = lambda group, device: p2p(group, torch.device("cpu"))
    from nanotron.config import LlamaConfig, ParallelismArgs
    from nanotron.models.base import build_model
    from nanotron.parallel import ParallelContext
    from nanotron.serialize.metadata import TensorMetadata
    from nanotron.serialize.weights import save_weights
    from nanotron.trainer import mark_tied_parameters

    # As nanotron's users have it: numpy 2 in the metadata.
    TensorMetadata.to_str_dict = TensorMetadata.to_str_dict.__wrapped__
    with process_group(rank, world_size, "cpu", rendezvous):
        context = ParallelContext(world_size, 1, 1)
        args = ParallelismArgs(dp=1, pp=1, tp=world_size, tp_linear_async_communication=False)
        for name, changes in configs.items():
            config = LlamaConfig(
                **{
                    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
                    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 64,
                    "max_position_embeddings": 64, "rms_norm_eps": 1e-5, **changes,
                }
            )  # fmt: skip
            model = build_model(
                lambda config=config: llama.LlamaForTraining(config, context, args),
                context, torch.float32, device=torch.device("cpu"),
            )  # fmt: skip
            mark_tied_parameters(model, context, args)
            with torch.no_grad():
                for number, param in enumerate(model.parameters()):
                    torch.manual_seed(1000 * number + (rank if param.is_sharded else 0))
                    param.copy_((param.dim() == 1) + 0.2 * torch.randn_like(param))
                ids_BT = torch.arange(3 * N_TOKENS).reshape(3, N_TOKENS) * 7 % 64
                logits_TBV = model.model(
                    input_ids=ids_BT, input_mask=torch.ones_like(ids_BT).bool()
                )
            shards = [torch.empty_like(logits_TBV) for _ in range(world_size)]
            torch.distributed.all_gather(shards, logits_TBV.contiguous())
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)
            save_weights(model, context, place)
            if rank == 0:
                (place / "model_config.json").write_text(json.dumps(asdict(config)))
                whole_BTV = torch.cat(shards, dim=-1).transpose(0, 1).contiguous()
                save_file({"ids": ids_BT, "logits": whole_BTV}, place / REFERENCE)
        torch.distributed.barrier()
        patches.forget_groups()
