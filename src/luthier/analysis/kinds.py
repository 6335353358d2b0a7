"""What a call does, by module class, function name or aten operator: one word each."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.modules import activation, batchnorm, conv, dropout, instancenorm, pooling, rnn

# The order decides where classes overlap: nn.Softmax lives beside the activations.
_MODULES: tuple[tuple[Any, str], ...] = (
    (nn.MultiheadAttention, "attention"),
    ((nn.Softmax, nn.LogSoftmax, nn.Softmax2d, nn.Softmin), "softmax"),
    (conv._ConvTransposeNd, "transposed_convolution"),
    (conv._ConvNd, "convolution"),
    ((nn.Linear, nn.Bilinear), "linear"),
    (instancenorm._InstanceNorm, "norm"),
    (batchnorm._BatchNorm, "batch_norm"),
    ((nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm), "norm"),
    (dropout._DropoutNd, "dropout"),
    ((rnn.RNNBase, rnn.RNNCellBase), "recurrent"),
    ((nn.Embedding, nn.EmbeddingBag), "embedding"),
    ((pooling._MaxPoolNd,), "max_pool"),
    (
        (
            pooling._AvgPoolNd,
            pooling._AdaptiveAvgPoolNd,
            pooling._AdaptiveMaxPoolNd,
            pooling._LPPoolNd,
        ),
        "pool",
    ),
    ((nn.Flatten, nn.Unflatten, nn.Identity, nn.PixelShuffle, nn.ChannelShuffle), "view"),
)
_ACTIVATION_MODULES = frozenset(
    name for name in activation.__all__ if name not in {"MultiheadAttention", "Softmax2d"}
)
_FUNCTIONS = {
    "convolution": "conv1d conv2d conv3d",
    "transposed_convolution": "conv_transpose1d conv_transpose2d conv_transpose3d",
    "linear": "linear bilinear addmm",
    "batch_norm": "batch_norm",
    "norm": "layer_norm group_norm instance_norm rms_norm local_response_norm normalize",
    "dropout": "dropout dropout_ alpha_dropout dropout1d dropout2d dropout3d feature_dropout "
    "feature_alpha_dropout",
    "activation": "relu relu_ relu6 leaky_relu leaky_relu_ elu elu_ selu celu gelu silu mish "
    "hardtanh hardswish hardsigmoid sigmoid sigmoid_ tanh tanh_ softplus softsign logsigmoid "
    "rrelu prelu threshold glu",
    "softmax": "softmax log_softmax gumbel_softmax softmin",
    "attention": "scaled_dot_product_attention multi_head_attention_forward",
    "embedding": "embedding embedding_bag",
    "max_pool": "max_pool1d max_pool2d max_pool3d boolean_dispatch max_pool2d_with_indices",
    "pool": "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d lp_pool1d lp_pool2d",
    "loss": "cross_entropy nll_loss binary_cross_entropy binary_cross_entropy_with_logits "
    "mse_loss l1_loss smooth_l1_loss huber_loss kl_div poisson_nll_loss gaussian_nll_loss "
    "cosine_embedding_loss triplet_margin_loss margin_ranking_loss hinge_embedding_loss ctc_loss "
    "soft_margin_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss",
    "concat": "cat concat stack hstack vstack",
    "crop": "__getitem__ narrow pad crop",
}
_BY_FUNCTION = {name: kind for kind, names in _FUNCTIONS.items() for name in names.split()}
_ATEN = {
    "convolution": "convolution mkldnn_convolution",
    "linear": "mm addmm linear",
    "matmul": "bmm baddbmm dot mv",
    "batch_norm": "native_batch_norm _native_batch_norm_legit cudnn_batch_norm "
    "_batch_norm_with_update",
    "norm": "native_layer_norm native_group_norm _fused_rms_norm",
    "dropout": "native_dropout bernoulli_ bernoulli",
    "attention": "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention",
    "softmax": "_softmax _log_softmax",
    "activation": "relu relu_ gelu silu silu_ leaky_relu elu sigmoid tanh hardtanh hardtanh_ "
    "hardswish hardswish_ hardsigmoid softplus mish threshold clamp_min",
    "embedding": "embedding",
    "max_pool": "max_pool2d_with_indices max_pool3d_with_indices",
    "pool": "avg_pool2d avg_pool3d _adaptive_avg_pool2d mean",
    "loss": "nll_loss_forward nll_loss2d_forward mse_loss binary_cross_entropy "
    "binary_cross_entropy_with_logits smooth_l1_loss huber_loss",
    "concat": "cat stack",
    "add": "add add_ sub sub_ rsub",
    "mul": "mul mul_ div div_",
    "crop": "slice constant_pad_nd index narrow",
    "view": "view _unsafe_view reshape t transpose permute unsqueeze squeeze expand clone "
    "contiguous flatten unflatten detach alias _to_copy copy_ select split split_with_sizes "
    "unbind chunk as_strided _reshape_alias lift_fresh",
}
_BY_ATEN = {name: kind for kind, names in _ATEN.items() for name in names.split()}
_WEIGHT = tuple(_ATEN)  # the earlier kind names a call of several operators


def kind_of_module(module: Any) -> str | None:  # noqa: ANN401
    """The kind of a module that is one call, or None for one to be looked into."""
    children = [name for name, _ in module.named_children() if name != "parametrizations"]
    if children and not isinstance(module, nn.MultiheadAttention | rnn.RNNBase):
        return None
    for classes, kind in _MODULES:
        if isinstance(module, classes):
            return kind
    if type(module).__name__ in _ACTIVATION_MODULES and type(module).__module__.startswith("torch"):
        return "activation"
    return "loss" if isinstance(module, nn.modules.loss._Loss) else None


def kind_of_function(name: str) -> str | None:
    """The kind of a torch function by its name, where the name says it."""
    return _BY_FUNCTION.get(name)


def kind_of_operators(names: Sequence[str]) -> str:
    """The kind of a call by the aten operators that it ran."""
    kinds = [_BY_ATEN.get(name, "other") for name in names]
    for kind in _WEIGHT:
        if kind in kinds:
            return kind
    return "other"


def dropout_probability(name: str, args: Sequence[Any], options: Mapping[str, Any]) -> float:
    """`p` of a functional dropout."""
    given = options.get("p", args[1] if len(args) > 1 else 0.5)
    return float(given) if isinstance(given, int | float) else 0.5


def convolution_sizes(args: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Kernel, stride and groups of a functional convolution."""
    given = dict(zip(("input", "weight", "bias", "stride", "padding", "dilation", "groups"), args,
                     strict=False)) | dict(options)  # fmt: skip
    kernel = tuple(given["weight"].shape[2:])
    stride = given.get("stride", 1)
    return {
        "kernel": kernel,
        "strides": (stride,) * len(kernel) if isinstance(stride, int) else tuple(stride),
    }
