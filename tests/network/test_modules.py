"""What torch's users hand over: wrapped, parametrized, in half precision, or nothing that can be read."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from gradlab import Stack, diagnose, trace

X, H = 3, 6


def snapshot(module):
    return {name: value.clone() for name, value in module.state_dict().items()}, module.training, list(module._modules)


def unchanged(module, before):
    after, training, parts = snapshot(module)
    assert (training, parts) == before[1:]
    return list(after) == list(before[0]) and all(torch.equal(after[name], before[0][name]) for name in after)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("make", [nn.LSTM, nn.GRUCell])
def test_half_precision_is_copied_in_float32_and_the_module_left_alone(make, dtype):
    module = make(X, H).to(dtype)
    before = snapshot(module)
    stack = Stack.from_torch(module)
    assert unchanged(module, before)
    assert all(parameter.dtype == dtype for parameter in module.parameters())
    assert (stack.dtype, stack.precision) == ("float32", str(dtype).removeprefix("torch."))
    first = next(value for name, value in module.named_parameters() if name.startswith("weight_ih"))
    assert np.array_equal(stack.layers[0].W, first.detach().float().numpy())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_diagnosis_knows_where_each_precision_prints_zero(dtype):
    """Against torch's own tensors of that precision, a unit of weight 0.5 and 64 equal ones."""
    name = str(dtype).removeprefix("torch.")
    for size in (1, 64):
        module = nn.RNN(1, size, nonlinearity="relu", bias=False)
        with torch.no_grad():
            module.weight_hh_l0.copy_(0.5 * torch.eye(size))
            module.weight_ih_l0.fill_(1.0)
        injected = torch.zeros(300, 1, size)
        injected[-1] = 1.0
        found = diagnose(trace(Stack.from_torch(module.to(dtype)), torch.ones(300, 1, 1), injected))
        steps = [torch.full((size,), 0.5**k, dtype=torch.float64).to(dtype) for k in range(300)]
        assert found.precision == name
        assert getattr(found.steps_to_zero, name) == next(k for k, value in enumerate(steps) if not value.any())
        assert getattr(found.steps_to_norm_zero, name) == next(k for k, value in enumerate(steps) if value.norm() == 0)
        assert f"In {name}" in found.sentence
        assert (", before any scaling of the loss)" in found.sentence) == (name == "float16")
        assert f"as 0 from about {getattr(found.steps_to_norm_zero, name):.0f} steps back on" in found.sentence


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_diagnosis_knows_where_each_precision_overflows(dtype):
    """Against torch's own tensors of that precision, four equal units of weight 2 that a tiny input switches on."""
    module = nn.RNN(1, 4, nonlinearity="relu", bias=False)
    with torch.no_grad():
        module.weight_hh_l0.copy_(2 * torch.eye(4))
        module.weight_ih_l0.fill_(1.0)
    inputs, injected = torch.zeros(140, 1, 1), torch.zeros(140, 1, 4)
    inputs[0], injected[-1] = 2.0**-60, 1.0
    found = diagnose(trace(Stack.from_torch(module.to(dtype)), inputs, injected))
    first = next(k for k in range(140) if torch.tensor(2.0**k, dtype=torch.float64).to(dtype).isinf())
    name = str(dtype).removeprefix("torch.")
    assert f"In {name} its entries would overflow from about {first} steps back on" in found.sentence


def test_autocasts_precision_is_the_one_that_is_spoken_of():
    module = nn.GRU(X, H)
    injected = np.zeros((300, 1, H))
    injected[-1] = 1.0
    inputs = np.random.default_rng(0).standard_normal((300, 1, X))
    for precision in ("bfloat16", torch.bfloat16):
        found = diagnose(trace(Stack.from_torch(module, precision=precision), inputs, injected))
        assert "In bfloat16, as it is computed, its norm prints as 0" in found.sentence
        assert "In float32" not in found.sentence
    both = diagnose(trace(Stack.from_torch(nn.GRU(X, H, bidirectional=True), precision="float16"), inputs,
                          np.tile(injected, 2)))  # fmt: skip
    assert both.precision == "float16"
    with pytest.raises(ValueError, match="precision = 'int8' is not known: use one of float64, float32, float16"):
        Stack.from_torch(module, precision="int8")


class Own(nn.LSTM):
    def forward(self, x, state=None):
        return super().forward(2 * x, state)


class Renamed(nn.GRU):
    """The same equations: a subclass that adds nothing to them."""

    def reset(self):
        return self.reset_parameters()


def scripted():
    return torch.jit.script(nn.LSTM(X, H))


def quantized():
    from torch.ao.quantization import quantize_dynamic

    return quantize_dynamic(nn.Sequential(nn.LSTM(X, H)), {nn.LSTM})[0]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, X)
        self.encoder = nn.ModuleDict({"rnn": nn.LSTM(X, H), "norm": nn.LayerNorm(H)})
        self.decoder = nn.ModuleList([nn.GRUCell(H, H), nn.GRUCell(H, H)])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Own(X, H), ["Own is an nn.LSTM with a forward of its own", "load_state_dict", "gradlab.mark"]),
        (scripted, ["is scripted", "pass the module it was made from"]),
        (quantized, ["LSTM is quantized", "pass the float module"]),
        (Model, ["Model is not a recurrent module", ".encoder.rnn (LSTM)", ".decoder.0 (GRUCell)",
                 ".decoder.1 (GRUCell)", "or the whole to gradlab.watch"]),
        pytest.param(lambda: torch.compile(Model()), [".encoder.rnn (LSTM)"], marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_to_do(make, words):
    with pytest.raises(TypeError) as caught:
        Stack.from_torch(make())
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_forward_put_on_the_instance_is_seen():
    module = nn.LSTM(X, H)
    module.forward = lambda x: (x, None)
    with pytest.raises(TypeError, match="forward of its own"):
        Stack.from_torch(module)
    assert Stack.from_torch(Renamed(X, H)).cell == "gru"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.spectral_norm])
def test_torchs_old_norms_are_refused_while_they_are_stale(norm):
    torch.manual_seed(0)
    module = norm(nn.GRUCell(X, H), "weight_hh")
    module(torch.randn(2, X))
    stack = Stack.from_torch(module)
    assert np.array_equal(stack.layers[0].U, module.weight_hh.detach().numpy())
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.add_(torch.randn_like(parameter) if name.startswith("weight_hh") else 0)
    before = snapshot(module)
    with pytest.raises(ValueError, match=rf"weight_hh is stale.*Run .*parametrizations\.{norm.__name__}"):
        Stack.from_torch(module)
    assert unchanged(module, before)
    module(torch.randn(2, X))
    assert np.array_equal(Stack.from_torch(module).layers[0].U, module.weight_hh.detach().numpy())


@pytest.mark.parametrize(
    "norm", [parametrizations.spectral_norm, parametrizations.weight_norm, parametrizations.orthogonal]
)
@pytest.mark.parametrize("make", [lambda: nn.GRUCell(X, H), lambda: nn.LSTM(X, H)])
def test_parametrized_weights_are_read_and_nothing_moves(norm, make):
    torch.manual_seed(0)
    module = make()
    name = "weight_hh" if isinstance(module, nn.GRUCell) else "weight_hh_l0"
    norm(module, name)
    assert module.training
    before = snapshot(module)
    twice = [Stack.from_torch(module).layers[0].U for _ in range(2)]
    assert unchanged(module, before)
    assert np.array_equal(*twice)
    reference = copy.deepcopy(module).eval()
    assert np.array_equal(twice[0], getattr(reference, name).detach().numpy())
    assert parametrize.is_parametrized(module, name)


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, pytest.param(torch.compile, marks=pytest.mark.slow),
             pytest.param(lambda module: torch.compile(nn.DataParallel(module)), marks=pytest.mark.slow)],
)  # fmt: skip
def test_wrappers_are_opened(wrap):
    module = nn.LSTM(X, H, batch_first=True)
    plain, stack = Stack.from_torch(module), Stack.from_torch(wrap(module))
    assert np.array_equal(stack.layers[0].U, plain.layers[0].U)
    assert stack.batch_first


def test_a_pruned_weight_that_was_trained_since_is_refused_until_the_module_has_run():
    module, inputs = nn.LSTM(X, H), torch.randn(4, 2, X)
    prune.l1_unstructured(module, "weight_hh_l0", 0.3)
    assert (Stack.from_torch(module).layers[0].U == 0).any()
    with torch.no_grad():
        module.weight_hh_l0_orig.mul_(2)
    with pytest.raises(ValueError, match="weight_hh_l0 is stale"):
        Stack.from_torch(module)
    module(inputs)
    np.testing.assert_array_equal(Stack.from_torch(module).layers[0].U, module.weight_hh_l0.detach().numpy())
