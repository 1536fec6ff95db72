"""A causal language model of transformers, taken apart into what scoring needs.

The body turns tokens into hidden states under any mask, on top of cached keys and values; the head
turns hidden states into logits exactly as the model's own forward does. Knows tensors; refuses to
know requests.

Letters: B rows, T tokens of a row, S keys (a trunk's and the row's), D width, N positions,
V vocabulary.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast

from skald_harness.scoring.thrift import ThriftyBody

#: Keys and values of one layer, (1, heads, tokens, d_head) each.
Layer = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Trunk:
    """Cached keys and values of a path: the layers of each of its parts, outermost part first."""

    parts: tuple[tuple[Layer, ...], ...]
    length: int

    @property
    def own_bytes(self) -> int:
        """Bytes of the innermost part, which is the one that this trunk added."""
        return sum(t.nbytes for layer in self.parts[-1] for t in layer)


class TrunkCache(DynamicCache):  # type: ignore[misc]  # transformers has no type information
    """Shows each layer a trunk before its own keys and values; keeps only the latter, if asked.

    Nothing of a row is kept while the next layer runs, so that a batch never holds more than one
    layer's copy of the trunk.
    """

    def __init__(self, trunk: Trunk | None, keep: bool) -> None:
        super().__init__()
        self._trunk, self._keep = trunk, keep
        self.kept: list[Layer] = []

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *_: Any,
        **__: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return all keys and values that a layer sees; called by the model's attention."""
        if self._keep:
            if layer_idx != len(self.kept):
                raise ValueError("layers do not cache their keys and values in order")
            self.kept.append((key_states, value_states))
        if self._trunk is None:
            return key_states, value_states
        n_rows = len(key_states)
        before = [part[layer_idx] for part in self._trunk.parts]
        keys = [key.expand(n_rows, -1, -1, -1) for key, _ in before]
        values = [value.expand(n_rows, -1, -1, -1) for _, value in before]
        return torch.cat([*keys, key_states], -2), torch.cat([*values, value_states], -2)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the trunk's length."""
        return self._trunk.length if self._trunk else 0


class _Output(BaseModelOutputWithPast):  # type: ignore[misc]  # as above
    """Hidden states, and None for whatever else some forward reads of its body's output."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class _Handed(torch.nn.Module):
    """Stands where a model's body was, and returns the hidden states that it is handed."""

    def forward(self, *_: Any, inputs_embeds: torch.Tensor, **__: Any) -> _Output:
        return _Output(last_hidden_state=inputs_embeds)


class Network:
    """A causal model with its body and head.

    Args:
        model: A `...ForCausalLM` of transformers, in the mode (eval) and on the device to be used.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device: torch.device = next(model.parameters()).device
        self.dtype: torch.dtype = next(model.parameters()).dtype
        self.n_vocabulary = int(model.get_output_embeddings().weight.shape[0])
        # The model's own forward around a body that does nothing: whatever it does to logits
        # (soft caps, scales) is done here too, at chosen positions only.
        self._headed = copy.copy(model)
        # accelerate, which spreads a model over devices, hangs a forward on the object that would run
        # the whole model; its hooks on the parts stay.
        self._headed.__dict__.pop("forward", None)
        self._headed._modules = {**model._modules, model.base_model_prefix: _Handed()}
        #: Whether the last layer may leave out what is not read; the probe decides.
        self.is_thrifty = False
        try:
            self._thrifty: ThriftyBody | None = ThriftyBody(model.base_model)
        except ValueError:
            self._thrifty = None

    def tensor(self, values: Any) -> torch.Tensor:
        """Return integers (an array or nested lists) as a tensor on the model's device."""
        return torch.as_tensor(values, dtype=torch.long).to(self.device)

    def mask(self, allowed_BTS: torch.Tensor) -> torch.Tensor:
        """Return the additive mask, (B, 1, T, S), that lets a token see what is allowed."""
        low = torch.finfo(self.dtype).min
        zero = torch.zeros((), dtype=self.dtype, device=self.device)
        return torch.where(allowed_BTS, zero, low)[:, None]

    def hidden(
        self,
        tokens_BT: torch.Tensor,
        position_BT: torch.Tensor | None = None,
        mask_B1TS: torch.Tensor | None = None,
        cache: TrunkCache | None = None,
        read_N: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the last hidden states; with neither mask nor positions, causally.

        Args:
            tokens_BT: The tokens.
            position_BT: Their positions.
            mask_B1TS: Which keys each may see.
            cache: A trunk.
            read_N: The positions of the flattened rows that will be read; None for all.

        Returns:
            (B, T, D), right where it will be read.
        """
        chosen = {
            "position_ids": position_BT,
            "attention_mask": mask_B1TS,
            "past_key_values": cache,
        }
        given: dict[str, Any] = {k: value for k, value in chosen.items() if value is not None}
        given |= {"input_ids": tokens_BT, "use_cache": cache is not None}
        if read_N is not None and self.is_thrifty and self._thrifty is not None:
            output = self._thrifty(read_N, **given)
        else:
            output = self.model.base_model(**given)
        hidden_BTD: torch.Tensor = output[0]
        return hidden_BTD

    def logits(self, hidden_ND: torch.Tensor) -> torch.Tensor:
        """Return the logits at these hidden states, (N, V) in fp32."""
        output = self._headed(inputs_embeds=hidden_ND[None], use_cache=False)
        return torch.as_tensor(output.logits)[0].float()

    def full_logits(self, tokens_BT: torch.Tensor) -> torch.Tensor:
        """Return the logits of the model's own forward everywhere, (B, T, V)."""
        return torch.as_tensor(self.model(input_ids=tokens_BT, use_cache=False).logits)
