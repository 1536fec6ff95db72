"""A plan as nanotron's YAML config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skald_specs.plan import Plan

_NEVER = 1 << 30


def nanotron_config(plan: Plan, scratch: Path) -> dict[str, Any]:
    """Translate a plan.

    The schedule, per-group rates, checkpoints and weights are ours (see `bridge.trainer`), so those
    fields hold inert values that satisfy nanotron's checks.

    Args:
        plan: The resolved plan.
        scratch: A folder nanotron may name but never writes to.

    Returns:
        The config as plain data.
    """
    identity, run = plan.identity, plan.execution
    # A group of one has no sequence to share out.
    pieces = run.tp > 1 and run.tp_mode != "all_reduce"
    mixed = identity.dtype != "float32"
    return {
        "general": {"project": "skald", "run": plan.name, "seed": identity.model_seed},
        "parallelism": {
            "dp": run.dp,
            "tp": run.tp,
            "pp": run.pp,
            "pp_engine": run.pp_schedule,
            "tp_mode": "REDUCE_SCATTER" if pieces else "ALL_REDUCE",
            "tp_linear_async_communication": pieces and run.tp_mode == "reduce_scatter_async",
        },
        "model": {
            "model_config": {
                "vocab_size": identity.model.vocab_size,
                "skald_plan": plan.model_dump_json(),
            },
            "init_method": {"std": 1.0},
            "dtype": identity.dtype,
            "make_vocab_size_divisible_by": 1,
        },
        "tokenizer": {},
        "checkpoints": {
            "checkpoints_path": str(scratch),
            "checkpoint_interval": _NEVER,
            "checkpoints_path_is_shared_file_system": True,
        },
        "logging": {"log_level": "error", "log_level_replica": "error"},
        "tokens": {
            "sequence_length": identity.model.seq_len,
            "train_steps": identity.schedule.n_steps.value,
            "micro_batch_size": run.micro_batch_sequences,
            "batch_accumulation_per_replica": plan.grad_accum_steps,
        },
        "optimizer": {
            "zero_stage": run.zero_stage,
            "weight_decay": 0.0,
            "clip_grad": identity.optimizer.grad_clip,
            # fp32 accumulation of fp32 gradients is an assertion error in nanotron.
            "accumulate_grad_in_fp32": mixed,
            "adam_eps": 1e-8,
            "adam_beta1": identity.optimizer.beta1,
            "adam_beta2": identity.optimizer.beta2,
            "torch_adam_is_fused": True,
            "learning_rate_scheduler": {
                "learning_rate": identity.optimizer.base_lr.value,
                "lr_warmup_steps": 1,
                "lr_warmup_style": "constant",
                "lr_decay_style": "linear",
                "min_decay_lr": 0.0,
            },
        },
    }
