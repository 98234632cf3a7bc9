"""A model of a few megabytes: `python model_files.py FOLDER MODEL ADAPTER...` writes it, without a download.

`FOLDER/MODEL` is a configuration and a tokenizer for an engine that makes the weights up, `FOLDER/MODEL.gguf` is the
same model with random weights, and each `FOLDER/ADAPTER` is a LoRA adapter for it. Runs with the engines' packages.
"""

import json
import pathlib
import sys

import gguf
import numpy
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

# A step must cost the engine more than its result costs the HTTP server beside it, or that one answers nobody.
HIDDEN, HEADS, LAYERS, INTERMEDIATE, CONTEXT = 256, 4, 4, 512, 4096
# 64, as vLLM's attention for the CPU wants it.
HEAD_SIZE = HIDDEN // HEADS
LORA_RANK = 8
END = "<|end|>"
CHAT_TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"
WORDS = "the gateway sends a request to an engine that holds its prefix or its adapter and then reads the answer"


def write_tokenizer(folder):
    """A byte-level tokenizer; gives its vocabulary in the order of the ids, and its merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([WORDS] * 10, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": END,
            "model_max_length": CONTEXT, "chat_template": CHAT_TEMPLATE,
        },
    )
    vocabulary = tokenizer.get_vocab()
    merges = [" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    return sorted(vocabulary, key=vocabulary.get), merges


def write_configuration(folder, vocabulary_size):
    write_json(
        folder / "config.json",
        {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary_size,
            "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "head_dim": HEAD_SIZE,
            "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
            "bos_token_id": 0, "eos_token_id": 0, "tie_word_embeddings": False, "torch_dtype": "float32",
        },
    )


def write_adapter(folder, model, random):
    """An adapter in the format of PEFT, on the queries and the values."""
    folder.mkdir()
    targets = ["q_proj", "v_proj"]
    write_json(
        folder / "adapter_config.json",
        {
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": model, "r": LORA_RANK,
            "lora_alpha": 2 * LORA_RANK, "lora_dropout": 0.0, "bias": "none", "target_modules": targets,
        },
    )
    weights = {}
    for layer in range(LAYERS):
        for target in targets:
            place = f"base_model.model.model.layers.{layer}.self_attn.{target}"
            weights[f"{place}.lora_A.weight"] = normal(random, LORA_RANK, HIDDEN)
            weights[f"{place}.lora_B.weight"] = normal(random, HIDDEN, LORA_RANK)
    save_file(weights, folder / "adapter_model.safetensors")


def write_gguf(path, vocabulary, merges, random):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HEAD_SIZE)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([gguf.TokenType.CONTROL if token == END else gguf.TokenType.NORMAL for token in vocabulary])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    writer.add_tensor("token_embd.weight", normal(random, len(vocabulary), HIDDEN))
    writer.add_tensor("output.weight", normal(random, len(vocabulary), HIDDEN))
    writer.add_tensor("output_norm.weight", numpy.ones(HIDDEN, numpy.float32))
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", numpy.ones(HIDDEN, numpy.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", normal(random, HIDDEN, HIDDEN))
        for name in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", normal(random, INTERMEDIATE, HIDDEN))
        writer.add_tensor(f"blk.{layer}.ffn_down.weight", normal(random, HIDDEN, INTERMEDIATE))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def normal(random, rows, columns):
    return (random.standard_normal((rows, columns)) * 0.02).astype(numpy.float32)


def write_json(path, document):
    path.write_text(json.dumps(document, indent=2) + "\n")


def main(folder, model, *adapters):
    random = numpy.random.default_rng(1)
    (folder / model).mkdir(parents=True)
    vocabulary, merges = write_tokenizer(folder / model)
    write_configuration(folder / model, len(vocabulary))
    for adapter in adapters:
        write_adapter(folder / adapter, model, random)
    write_gguf(folder / f"{model}.gguf", vocabulary, merges, random)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
