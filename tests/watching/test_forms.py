"""The forms that training scripts have: each trace is that of autograd, step by step, in the place of the module."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import gradlab
from tests.watching.test_watch import MODULES, Classifier, assert_same, by_autograd, loss_of, tokens
from tests.watching.unrolled import Unrolled


def watched(model, run):
    with gradlab.watch(model) as flow:
        run(model)
    return flow


@pytest.mark.parametrize("module", MODULES)
def test_states_of_every_layer_are_read(module):
    torch.manual_seed(1)
    model = Classifier(module, "both layers").double()

    def run(model):
        loss_of(model, tokens()).backward()

    assert_same(watched(model, run).trace(), by_autograd(model, run))


class Tagger(nn.Module):
    """Packed sequences: a score at every step that there is, or of the last states alone."""

    def __init__(self, module, enforce_sorted=False, read="every step", **options):
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(11, 5), module(5, 7, 2, batch_first=True, **options)
        self.head = nn.Linear(14 if options.get("bidirectional") else 7, 3)
        self.enforce_sorted, self.read = enforce_sorted, read

    def forward(self, words, lengths):
        packed = pack_padded_sequence(
            self.embedding(words), lengths, batch_first=True, enforce_sorted=self.enforce_sorted
        )
        output, state = self.rnn(packed)
        if self.read == "every step":
            output, _ = pad_packed_sequence(output, batch_first=True)
            return self.head(output).square().sum(dim=(1, 2)) / lengths
        state = state if isinstance(state, tuple) else (state,)
        return sum((part[-1] * (1 + number)).square().sum(dim=1) for number, part in enumerate(state))


@pytest.mark.parametrize("read", ["every step", "last states"])
@pytest.mark.parametrize(("lengths", "enforce_sorted"), [([6, 12, 9], False), ([12, 9, 6], True), ([12, 12, 12], True)])
@pytest.mark.parametrize("module", MODULES)
def test_packed_sequences(module, lengths, enforce_sorted, read):
    torch.manual_seed(1)
    model, lengths = Tagger(module, enforce_sorted, read).double(), torch.tensor(lengths)

    def run(model):
        model(tokens(T=12), lengths).sum().backward()

    trace = watched(model, run).trace()
    unrolled = by_autograd(model, run)
    for number, state in enumerate(trace.states):
        expected = unrolled.log10_norms(state=number)
        for b, length in enumerate(lengths):
            np.testing.assert_allclose(trace.log10_norm(state)[:, :length, b], expected[:, :length, b], atol=1e-9)
            assert not np.isfinite(trace.log10_norm(state)[:, length:, b]).any()


@pytest.mark.parametrize("read", ["last output", "mean", "last states"])
@pytest.mark.parametrize("module", MODULES)
def test_both_directions(module, read):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = module(5, 7, 2, batch_first=True, bidirectional=True), nn.Linear(14, 3)

        def forward(self, x):
            output, state = self.rnn(x)
            last = state[0] if isinstance(state, tuple) else state
            both = {"last output": output[:, -1], "mean": output.mean(dim=1), "last states": torch.cat([*last[-2:]], 1)}
            return self.head(both[read])

    torch.manual_seed(1)
    model, inputs = Both().double(), torch.randn(3, 14, 5, dtype=torch.float64)

    def run(model):
        model(inputs).square().sum().backward()

    flow = watched(model, run)
    assert_same(flow.trace(), by_autograd(model, run))
    assert set(flow.table["direction"]) == {"forward", "reverse"}
    top = gradlab.diagnose(flow.trace(), layer=1, direction="reverse")
    assert ("it has read one step" in top.sentence) == (read == "last output")


@pytest.mark.parametrize("lengths", [[6, 12, 9], [12, 12, 12]])
def test_packed_sequences_in_both_directions(lengths):
    torch.manual_seed(1)
    model, lengths = Tagger(nn.LSTM, bidirectional=True).double(), torch.tensor(lengths)

    def run(model):
        model(tokens(T=12), lengths).sum().backward()

    trace, unrolled = watched(model, run).trace(), by_autograd(model, run)
    for b, length in enumerate(lengths):
        expected = unrolled.log10_norms()[:, :length, b]
        np.testing.assert_allclose(trace.log10_norm("h")[:, :length, b], expected, atol=1e-9)


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"batch_first": True}])
@pytest.mark.parametrize("module", MODULES)
def test_dropout_between_layers_is_as_it_was_drawn(module, options):
    torch.manual_seed(1)
    model, inputs = module(5, 7, 3, dropout=0.4, **options).double(), torch.randn(12, 9, 5, dtype=torch.float64)

    def run(part):
        torch.manual_seed(6)
        part(inputs)[0][-1, -1].square().sum().backward()

    with gradlab.watch(model, sequences=4) as flow:
        run(model)
    part = Unrolled(model)
    run(part)
    B = inputs.shape[0 if options.get("batch_first") else 1]
    expected = part.log10_norms()[:, :, np.linspace(0, B - 1, 4).round().astype(int)]
    found = flow.trace().log10_norm("h")
    np.testing.assert_array_equal(np.isneginf(found), np.isneginf(expected))
    np.testing.assert_allclose(found[np.isfinite(found)], expected[np.isfinite(expected)], atol=1e-9)


def test_dropout_in_a_loop_of_single_steps_is_as_it_was_drawn():
    torch.manual_seed(1)
    model, inputs = nn.GRU(5, 7, 2, dropout=0.4).double(), torch.randn(8, 3, 5, dtype=torch.float64)

    def run(part):
        torch.manual_seed(6)
        state = None
        for x in inputs:
            output, state = part(x[None], state)
        output.square().sum().backward()

    with gradlab.watch(model) as flow:
        run(model)
    part = Unrolled(model)
    run(part)
    expected = np.concatenate([part.log10_norms(call) for call in range(8)], axis=1)
    np.testing.assert_allclose(flow.trace().log10_norm("h"), expected, atol=1e-9)


def test_a_projection():
    torch.manual_seed(1)
    model = nn.LSTM(5, 7, 2, proj_size=4).double()
    inputs = torch.randn(12, 3, 5, dtype=torch.float64)

    def run(part):
        output, (h, c) = part(inputs)
        (output[-1].square().sum() + h[0].sum() + c[1].square().sum()).backward()

    with gradlab.watch(model) as flow:
        run(model)
    part = Unrolled(model)
    run(part)
    for number, state in enumerate("hc"):
        np.testing.assert_allclose(flow.trace().log10_norm(state), part.log10_norms(state=number), atol=1e-9)


class Translator(nn.Module):
    """Encoder → decoder through the last states; attention over the encoder's outputs where asked for."""

    def __init__(self, module, attention):
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.encoder, self.decoder = module(5, 7, 2), module(5, 7, 2)
        self.head, self.attention = nn.Linear(7, 11), attention

    def forward(self, source, target):
        memory, state = self.encoder(self.embedding(source))
        output, _ = self.decoder(self.embedding(target), state)
        if self.attention:
            weights = torch.softmax(torch.einsum("tbh,sbh->tbs", output, memory), dim=2)
            output = output + torch.einsum("tbs,sbh->tbh", weights, memory)
        return nn.functional.cross_entropy(self.head(output[:-1]).flatten(0, 1), target[1:].flatten())


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("module", MODULES)
def test_an_encoder_whose_states_start_a_decoder(module, attention):
    torch.manual_seed(1)
    model = Translator(module, attention).double()

    def run(model):
        model(tokens(T=14, batch_first=False), tokens(T=9, batch_first=False, seed=6)).backward()

    flow = watched(model, run)
    assert flow.names == ["encoder", "decoder"]
    for name in flow.names:
        assert_same(flow.trace(name), by_autograd(model, run, name))
    found = flow.diagnose()
    changes = [abs(diagnosis.decades_per_100_steps) * diagnosis.length for diagnosis in found]
    assert {diagnosis.part for diagnosis in found} == set(flow.names)
    assert changes[0] > changes[1]


class Twins(nn.Module):
    """One module called twice in a forward pass, from a learned initial state."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(5, 7)
        self.start = nn.Parameter(torch.randn(1, 1, 7))

    def forward(self, one, other):
        start = self.start.expand(1, one.shape[1], 7).contiguous()
        return (self.rnn(one, start)[0][-1] - self.rnn(other, start)[1][-1]).square().sum()


def test_one_module_called_twice_has_two_passes_and_a_learned_start():
    torch.manual_seed(1)
    model = Twins().double()
    one, other = torch.randn(2, 12, 3, 5, dtype=torch.float64)

    def run(model):
        model(one, other).backward()

    flow, unrolled = watched(model, run), by_autograd(model, run)
    assert list(flow.passes()) == [0, 1]
    for number in (0, 1):
        assert_same(flow.trace(number=number), unrolled, number)
    assert set(flow.table["pass"]) == {0, 1}
    assert (flow.trace(number=0).log10_norm("h") != flow.trace(number=1).log10_norm("h")).any()


def test_gradients_of_several_backward_passes_add_up():
    torch.manual_seed(1)
    model = Classifier(nn.LSTM).double()

    def run(model):
        scores = model(tokens())
        scores[:, 0].sum().backward(retain_graph=True)
        scores[:, 1].square().sum().backward()

    assert_same(watched(model, run).trace(), by_autograd(model, run))


def test_accumulation_and_lbfgs_give_a_pass_for_every_forward_pass():
    torch.manual_seed(1)
    model = Classifier(nn.GRU).double()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    weights = []

    def closure():
        optimizer.zero_grad()
        weights.append({name: value.clone() for name, value in model.state_dict().items()})
        loss = sum(loss_of(model, tokens(seed=seed)) / 2 for seed in (1, 2))
        loss.backward()
        return loss

    with gradlab.watch(model) as flow:
        optimizer.step(closure)
    assert len(flow.passes()) == 2 * len(weights) >= 4
    for number in flow.passes():  # each with the weights of its own pass
        model.load_state_dict(weights[number // 2])
        unrolled = by_autograd(
            model, lambda model: (loss_of(model, tokens(seed=1)) / 2 + 0 * loss_of(model, tokens(seed=2))).backward()
        )
        if number % 2 == 0:
            assert_same(flow.trace(number=number), unrolled, 0)


def test_passes_without_gradient_are_not_noted_and_the_latest_are_kept():
    torch.manual_seed(1)
    model = Classifier(nn.GRU)
    with gradlab.watch(model, passes=2) as flow:
        with torch.no_grad():
            model(tokens())
        model(tokens())  # no backward pass
        assert not flow.passes()
        for seed in range(3):
            loss_of(model, tokens(seed=seed)).backward()
    assert list(flow.passes()) == [1, 2]
    with pytest.raises(ValueError, match=r"number = 0 is no pass of rnn: 1 to 2 are kept"):
        flow.trace(number=0)


def test_passes_of_a_loop_over_a_cell_are_numbered_in_the_order_of_their_calls_also_where_only_the_latest_are_kept():
    torch.manual_seed(1)
    cell, x = nn.GRUCell(3, 5).double(), torch.randn(7, 2, 3, dtype=torch.float64)

    def last(scale):
        h = None
        for step, inputs in enumerate(x):
            h = gradlab.mark(cell(scale * inputs, h), "h", step)
        return h

    with gradlab.watch(cell, passes=2) as flow:
        loss = sum(last(scale).sum() for scale in (1.0, 2.0, 3.0, 4.0))
        loss.backward(retain_graph=True)
        loss.backward()
    with gradlab.watch(cell) as alone:
        last(3.0).sum().backward()
    for name in flow.names:
        assert list(flow.passes(name)) == [2, 3]
        found, expected = (of.log10_norm("h") for of in (flow.trace(name, 2), alone.trace(name)))
        np.testing.assert_allclose(found, expected + np.log10(2), atol=1e-9)


def test_a_sample_of_the_batch_is_the_same_sequences():
    torch.manual_seed(1)
    model = Classifier(nn.LSTM).double()

    def run(model):
        loss_of(model, tokens(B=9)).backward()

    with gradlab.watch(model, sequences=3) as flow:
        run(model)
    expected = by_autograd(model, run).log10_norms()[:, :, [0, 4, 8]]
    np.testing.assert_allclose(flow.trace().log10_norm("h"), expected, atol=1e-9)


def test_a_scaled_loss_is_unscaled():
    torch.manual_seed(1)
    model = Classifier(nn.LSTM).double()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    with gradlab.watch(model, scaler=scaler) as flow:
        scaler.scale(loss_of(model, tokens())).backward()
    assert_same(flow.trace(), by_autograd(model, lambda model: loss_of(model, tokens()).backward()))


@pytest.mark.parametrize("module", MODULES)
def test_autocast_to_bfloat16_is_measured_in_the_weights_precision(module):
    torch.manual_seed(1)
    model = Classifier(module)
    torch._C._set_mkldnn_enabled(False)  # its LSTM takes no bfloat16 on every CPU
    try:
        with gradlab.watch(model) as flow, torch.autocast("cpu", torch.bfloat16):
            loss_of(model, tokens()).backward()
    finally:
        torch._C._set_mkldnn_enabled(True)
    unrolled = by_autograd(model, lambda model: loss_of(model, tokens()).backward())
    np.testing.assert_allclose(flow.trace().log10_norm("h"), unrolled.log10_norms(), atol=0.1)


def test_sequences_without_a_batch_are_a_batch_of_one():
    torch.manual_seed(1)
    module, inputs = nn.LSTM(4, 6, 2).double(), torch.randn(9, 4, dtype=torch.float64)
    with gradlab.watch(module) as flow:
        module(inputs)[0][-1].sum().backward()
    with gradlab.watch(module) as batched:
        module(inputs[:, None])[0][-1].sum().backward()
    np.testing.assert_array_equal(flow.trace().log10_norms, batched.trace().log10_norms)


def test_gradlab_s_own_recurrent_part_and_wrappers_are_seen():
    torch.manual_seed(1)
    plain = nn.LSTM(4, 6, 2).double()
    own = gradlab.recurrent.Recurrent(gradlab.Stack.from_torch(plain))
    model = nn.ModuleDict({"own": own, "many": nn.DataParallel(nn.ModuleDict({"rnn": plain}))})
    inputs = torch.randn(9, 3, 4, dtype=torch.float64)
    with gradlab.watch(model) as flow:
        (own(inputs)[0][-1].sum() + plain(inputs)[0][-1].sum()).backward()
    assert flow.names == ["own", "many.rnn"]
    for state in ("h", "c"):
        np.testing.assert_allclose(
            flow.trace("own").log10_norm(state), flow.trace("many.rnn").log10_norm(state), atol=1e-9
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler
def test_a_compiled_model_is_watched():
    torch.manual_seed(1)
    model = Classifier(nn.GRU).double()
    compiled = torch.compile(model, backend="eager")
    with gradlab.watch(compiled) as flow:
        loss_of(compiled, tokens()).backward()
    assert flow.names == ["rnn"]
    assert_same(flow.trace(), by_autograd(model, lambda model: loss_of(model, tokens()).backward()))


def test_the_arguments_of_a_pass_go_into_any_analysis():
    torch.manual_seed(1)
    model = Tagger(nn.LSTM).double()
    with gradlab.watch(model) as flow:
        model(tokens(T=12), torch.tensor([6, 12, 9])).sum().backward()
    again = gradlab.trace(*flow.arrays())
    np.testing.assert_array_equal(again.log10_norms, flow.trace().log10_norms)
    arrays = flow.arrays()
    assert arrays.inputs.shape == (3, 12, 5)  # as its module reads
    assert len(gradlab.paths.decompose(arrays.stack, arrays.inputs, arrays.cotangents, orders=2))


def test_a_gradient_that_comes_in_after_a_look_is_in_the_next_one():
    torch.manual_seed(1)
    model = Classifier(nn.GRU).double()
    with gradlab.watch(model) as flow:
        loss = loss_of(model, tokens())
        loss.backward(retain_graph=True)
        before = flow.trace().log10_norm("h")
        loss.backward()
    np.testing.assert_allclose(flow.trace().log10_norm("h") - before, np.log10(2))


def test_a_part_without_a_trace_is_named_and_hides_no_other():
    class Doubled(nn.GRU):
        def forward(self, inputs, hx=None):
            output, state = super().forward(inputs, hx)
            return 2 * output, state

    torch.manual_seed(1)
    model = nn.ModuleDict({"plain": nn.LSTM(5, 7), "other": Doubled(5, 7)})
    inputs = torch.randn(9, 3, 5)
    with gradlab.watch(model) as flow:
        (model["plain"](inputs)[0].sum() + model["other"](inputs)[0].sum()).backward()
    assert [diagnosis.part for diagnosis in flow.diagnose()] == ["plain"]
    assert set(flow.table["part"]) == {"plain"}
    assert list(flow.refused) == ["other"]
    assert "forward" in flow.refused["other"]
    with gradlab.watch(model["other"]) as flow:
        model["other"](inputs)[0].sum().backward()
    with pytest.raises((TypeError, ValueError), match="forward"):
        flow.diagnose()


def test_what_cannot_be_watched_is_refused_in_a_sentence():
    with pytest.raises(TypeError, match=r"list is no torch\.nn\.Module: pass the model that is trained"):
        gradlab.watch([1])
    with pytest.raises(TypeError, match="is scripted or traced"), pytest.warns(DeprecationWarning, match="script"):
        gradlab.watch(torch.jit.script(nn.Linear(2, 2)))
    with (
        gradlab.watch(nn.Linear(2, 2)) as flow,
        pytest.raises(ValueError, match=r"Linear has no recurrent part, which is an nn.RNN.*gradlab.mark"),
    ):
        flow.trace()
    with gradlab.watch(Translator(nn.GRU, False)) as flow:
        pass
    with pytest.raises(ValueError, match="name is missing: 2 parts are watched, encoder, decoder"):
        flow.trace()
    with pytest.raises(ValueError, match="name = 'rnn' is no recurrent part of the model: use encoder, decoder"):
        flow.trace("rnn")
    with pytest.raises(ValueError, match=r"No gradient came back into encoder .* call loss.backward\(\) inside"):
        flow.trace("encoder")
