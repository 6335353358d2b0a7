"""Findings of `luthier lint` on architectures as they are published, built without weights.

    python benchmarks/lint.py [NAME ...]

Needs torchvision, timm and transformers. A finding of severity error on any of them is taken for a
false positive, and makes the exit code 1. Models of transformers are built small from their
configs: the code is the same, the sizes are not.
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from luthier.analysis.case import Case
from luthier.analysis.sites import Sites, recording
from luthier.analysis.subject import sort_out
from luthier.lint import lint
from luthier.lint.words import said

TORCHVISION = (
    "alexnet", "vgg11", "vgg16_bn", "resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d",
    "densenet121", "googlenet", "inception_v3", "squeezenet1_1", "mobilenet_v2",
    "mobilenet_v3_large", "mnasnet1_0", "shufflenet_v2_x1_0", "efficientnet_b0",
    "efficientnet_v2_s", "regnet_y_400mf", "convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t",
    "maxvit_t",
)  # fmt: skip
SEGMENTATION = ("fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large")
VIDEO = ("r3d_18", "s3d")
TIMM = (
    "resnet26d", "seresnet50", "resnetv2_50", "efficientnet_lite0", "mobilenetv3_small_100",
    "mobilenetv4_conv_small", "ghostnet_100", "repvgg_a0", "res2net50_26w_4s", "dpn68",
    "xception41", "nfnet_l0", "convnextv2_nano", "vit_tiny_patch16_224",
    "deit3_small_patch16_224", "beit_base_patch16_224", "cait_xxs24_224", "mixer_s32_224",
    "resmlp_12_224", "swin_tiny_patch4_window7_224", "pvt_v2_b0", "poolformer_s12",
    "edgenext_xx_small", "coatnet_nano_rw_224", "efficientformer_l1", "levit_128s",
    "mobilevit_xxs", "fastvit_t8", "hrnet_w18_small", "inception_v4", "vovnet39a",
)  # fmt: skip
TINY = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
    "vocab_size": 256, "max_position_embeddings": 128,
}  # fmt: skip
TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("BertConfig", "BertForSequenceClassification", TINY),
    "roberta": ("RobertaConfig", "RobertaForMaskedLM", TINY),
    "deberta_v2": ("DebertaV2Config", "DebertaV2ForSequenceClassification", TINY),
    "albert": ("AlbertConfig", "AlbertForMaskedLM", {**TINY, "embedding_size": 32}),
    "electra": ("ElectraConfig", "ElectraForPreTraining", {**TINY, "embedding_size": 32}),
    "distilbert": (
        "DistilBertConfig", "DistilBertForSequenceClassification",
        {"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128, "vocab_size": 256},
    ),
    "gpt2": (
        "GPT2Config", "GPT2LMHeadModel",
        {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 256, "n_positions": 128},
    ),
    "gpt_neox": ("GPTNeoXConfig", "GPTNeoXForCausalLM", TINY),
    "opt": (
        "OPTConfig", "OPTForCausalLM",
        {**TINY, "ffn_dim": 128, "word_embed_proj_dim": 64},
    ),
    "llama": ("LlamaConfig", "LlamaForCausalLM", {**TINY, "num_key_value_heads": 2}),
    "mistral": ("MistralConfig", "MistralForCausalLM", {**TINY, "num_key_value_heads": 2}),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", {**TINY, "num_key_value_heads": 2}),
    "gemma": (
        "GemmaConfig", "GemmaForCausalLM",
        {**TINY, "num_key_value_heads": 2, "head_dim": 16},
    ),
    "mixtral": (
        "MixtralConfig", "MixtralForCausalLM",
        {**TINY, "num_key_value_heads": 2, "num_local_experts": 4},
    ),
    "mamba": (
        "MambaConfig", "MambaForCausalLM",
        {"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 256},
    ),
    "t5": (
        "T5Config", "T5ForConditionalGeneration",
        {"d_model": 64, "num_layers": 2, "num_heads": 4, "d_kv": 16, "d_ff": 128,
         "vocab_size": 256, "decoder_start_token_id": 0},
    ),
    "bart": (
        "BartConfig", "BartForConditionalGeneration",
        {"d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
         "decoder_attention_heads": 4, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128,
         "vocab_size": 256},
    ),
    "vit": ("ViTConfig", "ViTForImageClassification", {**TINY, "image_size": 64}),
    "segformer": ("SegformerConfig", "SegformerForImageClassification", {}),
    "wav2vec2": (
        "Wav2Vec2Config", "Wav2Vec2ForSequenceClassification",
        {**TINY, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
         "classifier_proj_size": 32},
    ),
}  # fmt: skip
FIXED_SIZE = ("vit", "deit", "beit", "cait", "mixer", "resmlp", "swin", "maxvit", "coatnet",
              "levit", "efficientformer")  # fmt: skip


def image(size: int = 224, n: int = 4) -> torch.Tensor:
    """Noise shaped like images."""
    return torch.randn(n, 3, size, size)


def torchvision_model(name: str) -> Any:  # noqa: ANN401
    """A classifier of torchvision."""
    import torchvision

    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, **options)
    if name in ("googlenet", "inception_v3"):
        return model, image(299)
    return model, image(224 if name.startswith(FIXED_SIZE) else 128)


def segmentation(name: str) -> Any:  # noqa: ANN401
    """A segmentation network of torchvision."""
    import torchvision

    model = torchvision.models.get_model(name, weights=None, weights_backbone=None)
    return model, image(128)


def video(name: str) -> Any:  # noqa: ANN401
    """A video network of torchvision."""
    import torchvision

    return torchvision.models.get_model(name, weights=None), torch.randn(4, 3, 16, 112, 112)


def timm_model(name: str) -> Any:  # noqa: ANN401
    """A classifier of timm."""
    import timm

    model = timm.create_model(name, pretrained=False)
    # ConvNets take any size; 128 keeps the benchmark short
    fixed = model.default_cfg.get("fixed_input_size") or name.startswith(FIXED_SIZE)
    return model, image(model.default_cfg["input_size"][-1] if fixed else 128)


def transformers_model(name: str) -> Any:  # noqa: ANN401
    """A small model of transformers, with labels."""
    import transformers

    config_name, model_name, options = TRANSFORMERS[name]
    config = getattr(transformers, config_name)(**options)
    model = getattr(transformers, model_name)(config)
    if name in ("vit", "segformer"):
        return model, {"pixel_values": image(64), "labels": torch.tensor([0, 1, 0, 1])}
    if name == "wav2vec2":
        return model, {"input_values": torch.randn(4, 4000), "labels": torch.tensor([0, 1, 0, 1])}
    words = torch.randint(5, 250, (4, 24))
    if "Classification" in model_name:
        return model, {"input_ids": words, "labels": torch.tensor([0, 1, 0, 1])}
    if name == "electra":
        return model, {"input_ids": words, "labels": torch.randint(0, 2, (4, 24))}
    return model, {"input_ids": words, "labels": words}


BUILDERS: dict[str, tuple[Callable[[str], Any], Any]] = {
    "torchvision": (torchvision_model, TORCHVISION),
    "segmentation": (segmentation, SEGMENTATION),
    "video": (video, VIDEO),
    "timm": (timm_model, TIMM),
    "transformers": (transformers_model, TRANSFORMERS),
}


def time_resnet50(n: int = 32) -> None:
    """All that can be given to a network of its size, at full resolution."""
    import torchvision

    model = torchvision.models.resnet50(weights=None)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    batch, loss = (image(224, n), torch.arange(n)), torch.nn.CrossEntropyLoss()
    case = Case(sort_out({"model": model, "batch": batch, "loss": loss, "optimizer": optimizer}))
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    lint(case)
    lint_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    print(f"resnet50, batch {n} x 3 x 224 x 224, loss and optimizer: {lint_s:.2f} s, "
          f"{cpu_s:.2f} s of CPU, threads: {torch.get_num_threads()}")  # fmt: skip


def main() -> int:
    """Lint them all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these models")
    parser.add_argument("--verbose", action="store_true", help="print every finding")
    wanted = parser.parse_args()
    torch.manual_seed(0)
    n_models = n_errors = n_failed = 0
    numbers = f"{'parameters':>11} {'lint_s':>7} {'cpu_s':>6}"
    print(f"{'model':38} {numbers}  error warning info  rules")
    for library, (build, names) in BUILDERS.items():
        for name in names:
            if wanted.names and name not in wanted.names:
                continue
            sites = Sites()
            try:
                with recording(sites):
                    given = build(name)
            except Exception as error:
                n_failed += 1
                print(
                    f"{library}/{name:25} could not be built: {type(error).__name__}: {error}"[:110]
                )
                continue
            case = Case(sort_out(given, sites=sites))
            n_parameters = sum(p.numel() for p in given[0].parameters())
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            try:
                report = lint(case)
            except Exception:
                traceback.print_exc()
                n_failed += 1
                continue
            lint_s = time.perf_counter() - began_s
            cpu_s = time.process_time() - began_cpu_s
            counts = Counter(finding.severity.value for finding in report.findings)
            rules = Counter(finding.code for finding in report.findings)
            codes = " ".join(f"{code}x{n}" if n > 1 else code for code, n in sorted(rules.items()))
            n_each = [counts[word] for word in ("error", "warning", "info")]
            row = f"{library + '/' + name:38} {n_parameters:11,} {lint_s:7.2f} {cpu_s:6.2f}  "
            print(row + "{:5} {:7} {:4}".format(*n_each) + f"  {codes}", flush=True)
            if report.error:
                print(f"    the trial step ended early: {report.error}"[:200])
            for finding in report.findings:
                if finding.severity.value == "error" or wanted.verbose:
                    print("   ", finding.severity, finding.code, finding.path, said(finding))
            n_models += 1
            n_errors += counts["error"]
    if not wanted.names:
        time_resnet50()
    print(f"{n_models} models, {n_errors} findings of severity error, {n_failed} could not be run")
    return 1 if n_errors or n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
