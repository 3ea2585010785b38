"""`generate` of Hugging Face's transformers, for `benchmarks.decoding_speed`; runs where it and PyTorch are installed.

    python transformers_generate.py '{"width": 128, "depth": 3, ...}'

Prints the number of parameters; then, for each line "BEAM" that it reads, the seconds of one decoding, by the clock and
of the processor. The model is a MarianMT, the library's Transformer with sinusoidal positions, with random weights.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from transformers import GenerationConfig, MarianConfig, MarianMTModel


def made(given: dict[str, int]) -> MarianMTModel:
    """The model, in inference mode; source and target have embeddings of their own, the target's tells the tokens."""
    torch.manual_seed(0)
    sides = {
        f"{side}_{name}": given[value]
        for side in ("encoder", "decoder")
        for name, value in (("layers", "depth"), ("attention_heads", "heads"), ("ffn_dim", "feed_forward"))
    }
    config = MarianConfig(
        **sides,
        d_model=given["width"],
        vocab_size=given["vocabulary"],
        decoder_vocab_size=given["vocabulary"],
        share_encoder_decoder_embeddings=False,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=0,
        decoder_start_token_id=2,
        eos_token_id=3,
        forced_eos_token_id=None,
    )
    return MarianMTModel(config).eval()


def main() -> None:
    """Answers."""
    given = json.loads(sys.argv[1])
    torch.set_num_threads(given["threads"])
    model = made(given)
    source = torch.randint(4, given["vocabulary"], (given["batch"], given["length"]))
    print(sum(weights.numel() for weights in model.parameters()), flush=True)
    for line in sys.stdin:
        # Without an end token every sequence has the full length.
        settings = GenerationConfig(
            num_beams=int(line),
            max_new_tokens=given["length"],
            do_sample=False,
            use_cache=True,
            **({"length_penalty": given["penalty"]} if int(line) > 1 else {}),
            pad_token_id=0,
            decoder_start_token_id=2,
            eos_token_id=None,
        )
        started = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            found = model.generate(source, attention_mask=torch.ones_like(source), generation_config=settings)
        taken = time.perf_counter() - started[0], time.process_time() - started[1]
        if found.shape != (given["batch"], given["length"] + 1):
            sys.exit(f"generated {tuple(found.shape)}: expected {given['length']} tokens after the first")
        print(*taken, flush=True)


if __name__ == "__main__":
    main()
