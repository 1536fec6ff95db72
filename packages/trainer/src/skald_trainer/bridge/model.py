"""The decoder's stages as nanotron pipeline blocks, and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from nanotron import distributed as dist
from nanotron.models import NanotronModel
from nanotron.parallel import ParallelContext
from nanotron.parallel.pipeline_parallel.block import PipelineBlock
from nanotron.parallel.pipeline_parallel.p2p import P2P
from nanotron.parallel.pipeline_parallel.tensor_pointer import TensorPointer
from nanotron.parallel.tensor_parallel.functional import sharded_cross_entropy
from nanotron.parallel.tied_parameters import tie_parameters
from skald_mup.model import EmbedStage, HeadStage, document_mask
from skald_mup.names import tensor_kind
from skald_specs.pipeline import block_costs
from skald_specs.plan import Plan
from torch import nn

from skald_trainer.bridge.blocks import TrainedBlock, check_compiler
from skald_trainer.bridge.layers import NanotronLayers
from skald_trainer.bridge.loss import mean_nats
from skald_trainer.bridge.patches import device_type
from skald_trainer.bridge.tensors import canonical_name
from skald_trainer.loader import IGNORED


@dataclass
class DecoderConfig:
    """The model section of nanotron's config: the plan itself, as JSON.

    `vocab_size` stands apart because nanotron pads it; plans are validated so that it needs none.
    """

    vocab_size: int
    skald_plan: str


class LossStage(nn.Module):
    """Mean cross entropy in nats over the positions that have a label."""

    def __init__(self, context: ParallelContext) -> None:
        super().__init__()
        self.group = context.tp_pg

    def forward(self, logits_TBV: torch.Tensor, labels_BT: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return {"loss"}; labels below zero count for nothing."""
        labels_TB = labels_BT.transpose(0, 1).contiguous()
        if self.group.size() == 1:
            # The sharded one agrees with it to the last bits of a float.
            return {"loss": mean_nats(logits_TBV.flatten(0, 1), labels_TB.flatten())}
        taken_TB = labels_TB != IGNORED
        nats_TB = sharded_cross_entropy(
            logits_TBV.float(), labels_TB.clamp(min=0), group=self.group
        )
        return {"loss": (nats_TB * taken_TB).sum() / taken_TB.sum().clamp(min=1)}


class NanotronDecoder(NanotronModel):
    """`skald_mup`'s decoder, cut into pipeline blocks with sharded layers."""

    def __init__(
        self,
        config: DecoderConfig,
        parallel_context: ParallelContext,
        parallel_config: Any,
        random_states: Any = None,
    ) -> None:
        super().__init__()
        self.config, self.parallel_context = config, parallel_context
        plan = Plan.model_validate_json(config.skald_plan)
        identity = plan.identity
        self.shape, self.mask_documents = identity.model, identity.data.mask_documents
        if plan.execution.compile_blocks:
            check_compiler()
        self._named: tuple[tuple[str, Any], ...] | None = None
        layers = NanotronLayers(
            parallel_context,
            parallel_config.tp_mode,
            parallel_config.tp_linear_async_communication,
            plan.execution.compile_blocks,
        )
        given = {"shape": identity.model, "multipliers": identity.multipliers, "layers": layers}
        p2p = P2P(parallel_context.pp_pg, device=torch.device(device_type()))

        def block(
            stage: type[nn.Module], kwargs: dict[str, Any], *ports: set[str]
        ) -> PipelineBlock:
            return PipelineBlock(
                p2p=p2p,
                module_builder=stage,
                module_kwargs=kwargs,
                module_input_keys=ports[0],
                module_output_keys=ports[1],
            )

        masked = ["mask_B1TT"] if self.mask_documents else []
        self.embed = block(EmbedStage, given, {"ids_BT"}, {"x_TBD"})
        self.layers = nn.ModuleList(
            block(TrainedBlock, {**given, "run": plan.execution}, {"x_TBD", *masked}, {"x_TBD"})
            for _ in range(identity.model.n_layers)
        )
        self.head = block(HeadStage, given, {"x_TBD"}, {"logits_TBV"})
        self.loss = block(
            LossStage, {"context": parallel_context}, {"logits_TBV", "labels_BT"}, {"loss"}
        )

    def forward(self, ids_BT: torch.Tensor, labels_BT: Any) -> dict[str, Any]:
        """Return {"loss"}: a tensor on the last pipeline rank, a pointer elsewhere.

        Every pipeline rank is given the ids: each makes its own mask, so that none is sent.
        """
        x = self.embed(ids_BT=self._at(self.embed, ids_BT))
        mask_B1TT = document_mask(ids_BT) if self.mask_documents else None
        for block in self.layers:
            masked = {} if mask_B1TT is None else {"mask_B1TT": self._at(block, mask_B1TT)}
            x = block(**x, **masked)
        loss: dict[str, Any] = self.loss(**self.head(**x), labels_BT=labels_BT)
        return loss

    def _at(self, block: PipelineBlock, tensor: torch.Tensor) -> Any:
        """Return a tensor that all ranks have where a block runs, a pointer to it elsewhere."""
        here = block.rank == dist.get_rank(self.parallel_context.pp_pg)
        return tensor if here else TensorPointer(group_rank=block.rank)

    def remember_names(self) -> None:
        """Walk the modules for the last time; call it once nanotron has replaced and tied them all."""
        self._named = tuple(super().get_named_params_with_correct_tied())

    def get_named_params_with_correct_tied(self) -> Iterator[tuple[str, Any]]:
        """Yield names and parameters; nanotron asks at every step, and no step changes them."""
        known = self._named
        yield from super().get_named_params_with_correct_tied() if known is None else known

    def init_model_randomly(self, config: Any) -> None:
        """Refuse: the trainer subclass sets weights by name (see `bridge.tensors`)."""
        raise RuntimeError("weights come from the plan's seed or from a checkpoint")

    def get_embeddings_lm_head_tied_names(self) -> list[str]:
        """Name the matrices that are one parameter, the one whose name it keeps first.

        nanotron makes them one tensor where a rank holds both; across pipeline ranks each keeps a
        copy, and their gradients are summed.
        """
        names = ["embed.pp_block.tokens.weight", "head.pp_block.linear.weight"]
        return names if self.shape.tie_embeddings else []

    def tie_custom_params(self) -> None:
        """Have the gradients of QK-norm's gains summed over the tensor-parallel ranks.

        These gains see the rank's own heads. The others see the whole residual stream on every rank,
        and their gradients are equal there; where a rank has a piece of the sequence (reduce-scatter)
        nanotron sums them itself.
        """
        if self.shape.tie_embeddings and self.head.rank != self.embed.rank:
            self._name_copy_of_embedding()
        ranks = tuple(sorted(dist.get_process_group_ranks(self.parallel_context.tp_pg)))
        for name, _ in list(self.named_parameters()):
            if tensor_kind(canonical_name(name)) == "qk_norm":
                tie_parameters(self, [(name, ranks)], self.parallel_context, dist.ReduceOp.SUM)

    def _name_copy_of_embedding(self) -> None:
        """Let the last stage find its copy under the embedding's name, too.

        nanotron's ZeRO-1 looks its first parameter up by the tied name, and on a stage that holds a
        readout without gains that is this one. Nothing runs through the holder.
        """
        if hasattr(self.head, "pp_block"):
            self.embed.pp_block = nn.Module()
            self.embed.pp_block.tokens = nn.Module()
            self.embed.pp_block.tokens.weight = self.head.pp_block.linear.weight

    def get_block_compute_costs(self) -> dict[type[nn.Module], int]:
        """Weigh blocks for pipeline balance; see `skald_specs.pipeline`."""
        costs = block_costs(self.shape, self.parallel_context.pp_pg.size())
        return {TrainedBlock: costs.layer, HeadStage: costs.readout}
