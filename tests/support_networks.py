"""Tiny random networks of many architectures, and requests for them."""

import random

import torch
from skald_harness.scoring.requests import Request
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCABULARY = 97
#: Tokens that each network can see at once.
LENGTH = 64
DENSE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": LENGTH,
    # Wide, so that what a token sees matters to a network that never learnt anything.
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
GROUPED = DENSE | {"num_key_value_heads": 2}
HEADS = DENSE | {"head_dim": 8}
NETWORKS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**DENSE)),
    "llama tied": lambda: LlamaForCausalLM(LlamaConfig(**DENSE, tie_word_embeddings=True)),
    "llama grouped": lambda: LlamaForCausalLM(LlamaConfig(**GROUPED)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**GROUPED, sliding_window=None)),
    "mistral window": lambda: MistralForCausalLM(MistralConfig(**GROUPED, sliding_window=24)),
    "gemma": lambda: GemmaForCausalLM(GemmaConfig(**HEADS)),
    "gemma2": lambda: Gemma2ForCausalLM(
        Gemma2Config(**HEADS, final_logit_softcapping=3.0, sliding_window=32)
    ),
    "cohere": lambda: CohereForCausalLM(CohereConfig(**DENSE, logit_scale=0.25)),
    "neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**DENSE)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**GROUPED)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**GROUPED, head_dim=8)),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=LENGTH,
            n_embd=32,
            n_layer=2,
            n_head=4,
            initializer_range=0.2,
            bos_token_id=1,
            eos_token_id=2,
        )
    ),
    "bloom": lambda: BloomForCausalLM(
        BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4)
    ),
    "mamba": lambda: MambaForCausalLM(
        MambaConfig(vocab_size=VOCABULARY, hidden_size=16, state_size=4, num_hidden_layers=2)
    ),
}


def network(name, dtype=torch.float32, seed=0):
    torch.manual_seed(seed)
    return NETWORKS[name]().to(dtype).eval()


def requests(seed=0, n_items=6, longest=40):
    """Items with choices, a block that some share, pairs, documents too long, and repetitions."""
    rng = random.Random(seed)

    def tokens(low, high):
        return [rng.randrange(3, VOCABULARY) for _ in range(rng.randint(low, high))]

    block, asked = tokens(30, 30), []
    for i in range(n_items):
        context = (block if i % 2 else []) + tokens(1, longest - 30)
        asked += [Request(context, tokens(1, 6)) for _ in range(3)]
        asked += [Request(context, tokens(1, 1)) for _ in range(2)]
        good = tokens(6, 14)
        asked += [Request([1], good), Request([1], good[:4] + tokens(1, 3) + good[5:])]
        asked += [Request(good[:3], good[3:]), Request(good[:3], good[3:-1])]
    asked.append(Request(tokens(LENGTH, LENGTH + 30), tokens(5, 20)))
    asked.append(Request([1], tokens(LENGTH, LENGTH)))
    return asked + asked[:4]
