"""Bidirectional modules, projections, dropout as it was drawn, layers of unequal sizes: against torch's own cells in a
loop, differentiated by autograd, and forward against the module itself."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gradlab import Stack, diagnose, itemised, trace
from gradlab.engine import outputs
from gradlab.network import dropout
from gradlab.network.stack import Net
from tests.networks import log10_norms

T, B, X, H = 11, 3, 4, 5
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
CELL_OF = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def states_of(module, B=B):
    directions = module.num_layers * (2 if module.bidirectional else 1)
    h = draw(directions, B, module.proj_size or module.hidden_size)
    return (h, draw(directions, B, module.hidden_size)) if isinstance(module, nn.LSTM) else (h,)


def one_step(module, weights, x, state):
    """A step of one layer by torch's own operations."""
    W, U, b_W, b_U, P = weights
    if P is not None:
        i, f, g, o = (x @ W.T + b_W + state[0] @ U.T + b_U).chunk(4, dim=1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return [(o.sigmoid() * c.tanh()) @ P.T, c]
    cell = CELL_OF[type(module)](x.shape[1], U.shape[1], dtype=torch.float64)
    given = tuple(state) if len(state) == 2 else state[0]
    named = dict(zip(NAMES, weights[:4], strict=True))
    new = torch.func.functional_call(cell, named, (x, given))
    return list(new) if len(state) == 2 else [new]


def unrolled(module, x, injected, start, final, lengths=None, masks=()):
    """By autograd: log10 norms at states [parts, T, B] each, gradients at inputs and initial states, the outputs."""
    directions = 2 if module.bidirectional else 1
    x = x.clone().requires_grad_()
    start = [part.clone().requires_grad_() for part in start]
    lengths = [len(x)] * x.shape[1] if lengths is None else lengths
    found, loss, whole = {}, 0.0, []
    for b, length in enumerate(lengths):
        below = list(x[:length, b : b + 1].unbind(0))
        for layer in range(module.num_layers):
            above = [[] for _ in below]
            for direction in range(directions):
                place = layer * directions + direction
                name = f"l{layer}{'_reverse' * direction}"
                weights = [getattr(module, f"{kind}_{name}").detach() for kind in NAMES]
                weights.append(getattr(module, f"weight_hr_{name}").detach() if module.proj_size else None)
                state = [part[place, b : b + 1] for part in start]
                for t in range(length)[:: -1 if direction else 1]:
                    state = one_step(module, weights, below[t], state)
                    for number, value in enumerate(state):
                        value.retain_grad()
                        found[place, t, b, number] = value
                    above[t].append(state[0])
                loss = loss + sum((f[place, b] * s[0]).sum() for f, s in zip(final, state, strict=True))
            below = [torch.cat(parts, dim=1) for parts in above]
            if layer < len(masks):
                below = [h * torch.from_numpy(masks[layer][t, b]) for t, h in enumerate(below)]
        loss = loss + sum((injected[t, b] * h[0]).sum() for t, h in enumerate(below))
        whole.append(torch.cat(below).detach())
    loss.backward()
    norms = np.full((len(start), start[0].shape[0], len(x), x.shape[1]), np.nan)
    for (place, t, b, number), value in found.items():
        gradient = np.zeros(1) if value.grad is None else value.grad[0].numpy()
        norms[number, place, t, b] = log10_norms(gradient)
    return norms, x.grad.numpy(), [part.grad.numpy() for part in start], whole


def close(found, exact):
    assert found.shape == exact.shape
    assert np.array_equal(np.isnan(found), np.isnan(exact))
    assert np.array_equal(np.isneginf(found), np.isneginf(exact))
    finite = np.isfinite(exact)
    return np.abs(found[finite] - exact[finite]).max(initial=0) < 1e-11


def agree(found, exact):
    norms, at_inputs, at_start, _ = exact
    for number, of_state in enumerate(norms):
        assert close(found.log10_norm("hc"[number]), of_state)
        assert close(found.log10_initial("hc"[number]), log10_norms(at_start[number]))
        assert np.abs(found.initial_bar[number] - at_start[number]).max() < 1e-13
    assert np.abs(found.inputs_bar - at_inputs).max() < 1e-13


FORMS = {
    "bidirectional rnn": (nn.RNN, {"num_layers": 2, "bidirectional": True}),
    "bidirectional gru": (nn.GRU, {"num_layers": 1, "bidirectional": True}),
    "bidirectional lstm": (nn.LSTM, {"num_layers": 3, "bidirectional": True}),
    "projected": (nn.LSTM, {"num_layers": 2, "proj_size": 3}),
    "projected bidirectional": (nn.LSTM, {"num_layers": 2, "proj_size": 3, "bidirectional": True}),
}


@pytest.mark.parametrize("lengths", [None, [11, 4, 7]])
@pytest.mark.parametrize("form", FORMS)
def test_every_gradient_is_autograds_and_every_output_the_modules(form, lengths):
    torch.manual_seed(len(form))
    kind, options = FORMS[form]
    module = kind(X, H, **options).double()
    x, start, final = draw(T, B, X), states_of(module), states_of(module)
    injected = draw(T, B, (module.proj_size or H) * (2 if module.bidirectional else 1))
    if lengths:
        injected = injected * (torch.arange(T)[:, None] < torch.tensor(lengths))[..., None]
    net = Stack.from_torch(module)
    assert isinstance(net, Net)
    given = start[0] if len(start) == 1 else start
    found = trace(net, x, injected, given, final[0] if len(final) == 1 else final, lengths=lengths)
    exact = unrolled(module, x, injected, start, final, lengths)
    agree(found, exact)
    packed = x if lengths is None else pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    theirs = module(packed, given)[0]
    theirs = theirs if lengths is None else pad_packed_sequence(theirs)[0]
    ours = outputs_of(net, x, given, lengths)
    for b, of_sequence in enumerate(exact[3]):
        assert np.abs(ours[: len(of_sequence), b] - theirs[: len(of_sequence), b].detach().numpy()).max() < 1e-12


def outputs_of(net, x, start, lengths):
    """The net's outputs by the engine: a further level that only passes them on reads them."""
    from gradlab.analyses import nets
    from gradlab.analyses.arguments import as_episodes

    x = x.numpy()
    run = nets._Run(
        net, x, as_episodes(None, lengths, *x.shape[:2], False), nets._of_parts(net, start, x.shape[1], "s"), []
    )
    below = run._forward(None)[-1]
    above = []
    for place, level, part in run.numbered:
        if level == net.depth - 1:
            h, _ = outputs(part.stack, *run._read(place, part, below), episodes=run.episodes)
            h = h if part.projection is None else h @ part.projection.T
            above.append(nets.turned(h, run.spans) if part.reverse else h)
    return np.concatenate(above, axis=2)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"batch_first": True}], ids=str)
@pytest.mark.parametrize("kind", CELL_OF)
def test_dropout_is_replayed_as_it_was_drawn(kind, options, packed):
    torch.manual_seed(3)
    module = kind(X, H, num_layers=3, dropout=0.4, **options).double()
    x, lengths = draw(T, B, X), [4, 11, 7] if packed else None
    given = x.transpose(0, 1) if module.batch_first else x
    if packed:
        given = pack_padded_sequence(given, torch.tensor(lengths), module.batch_first, enforce_sorted=False)
    random_state = torch.get_rng_state()
    output, _ = module(given)
    after = torch.get_rng_state()
    masks = dropout.replay(module, given, output, random_state)
    assert torch.equal(after, torch.get_rng_state())
    assert {0.0, 1 / 0.6} <= {float(value) for value in np.unique(masks[0])} | {0.0}
    width = H * (2 if module.bidirectional else 1)
    injected = draw(T, B, width)
    if packed:
        injected = injected * (torch.arange(T)[:, None] < torch.tensor(lengths))[..., None]
    net = Stack.from_torch(module, masks=masks)
    turn = (lambda a: a.transpose(0, 1)) if module.batch_first else (lambda a: a)
    found = trace(net, turn(x), turn(injected), lengths=lengths)
    zeros = [torch.zeros_like(part) for part in states_of(module)]
    exact = unrolled(module, x, injected, zeros, zeros, lengths, masks)
    assert close(found.log10_norm("h"), exact[0][0])
    ours = pad_packed_sequence(output, module.batch_first)[0] if packed else output
    for b, of_sequence in enumerate(exact[3]):
        theirs = turn(ours)[: len(of_sequence), b]
        assert (theirs - of_sequence).abs().max() < 1e-12


def test_dropout_of_another_random_state_or_of_other_weights_is_refused():
    torch.manual_seed(0)
    module = nn.GRU(X, H, num_layers=2, dropout=0.5)
    x = torch.randn(T, B, X)
    with pytest.raises(ValueError, match=r"GRU has dropout = 0.5 active: pass the masks that it drew, gradlab.dropout"):
        Stack.from_torch(module)
    random_state = torch.get_rng_state()
    output, _ = module(x)
    with pytest.raises(ValueError, match="do not give its output bit by bit"):
        dropout.replay(module, x, output, torch.get_rng_state())
    masks = dropout.replay(module, x, output, random_state)
    with torch.no_grad():
        module.weight_hh_l1 += 1e-6
    with pytest.raises(ValueError, match="do not give its output bit by bit"):
        dropout.replay(module, x, output, random_state)
    module.eval()
    with pytest.raises(ValueError, match="masks were given, but GRU has no dropout that is on"):
        Stack.from_torch(module, masks=masks)
    assert isinstance(Stack.from_torch(module), Stack)


def test_layers_of_unequal_sizes_are_one_network():
    torch.manual_seed(1)
    first, second = nn.LSTM(X, 7).double(), nn.LSTM(7, H, num_layers=2).double()
    x, injected = draw(T, B, X).requires_grad_(), draw(T, B, H)
    start = [[draw(B, size).requires_grad_() for size in (7, H, H)] for _ in range(2)]
    low, _ = first(x, tuple(part[0][None] for part in start))
    low.retain_grad()
    out, (h, _) = second(low, tuple(torch.stack(part[1:]) for part in start))
    ((out * injected).sum() + (h[0] * injected[0]).sum()).backward()
    final = [[np.zeros((B, 7)), injected[0], np.zeros((B, H))], [np.zeros((B, size)) for size in (7, H, H)]]
    found = trace(Stack.from_torch([first, second]), x, injected, start, final)
    assert np.abs(found.inputs_bar - x.grad.numpy()).max() < 1e-14
    for mine, theirs in zip(found.initial_bar, start, strict=True):
        assert all(np.abs(a - b.grad.numpy()).max() < 1e-14 for a, b in zip(mine, theirs, strict=True))
    assert found.log10_norm("c").shape == (3, T, B)
    with pytest.raises(ValueError, match="layer 1 forward reads 4 inputs, but gets 7"):
        Stack.from_torch([first, nn.LSTM(X, H).double()])
    with pytest.raises(ValueError, match="modules of several cells, lstm, gru: trace them apart"):
        Stack.from_torch([first, nn.GRU(7, H).double()])


def test_a_net_of_equal_layers_in_one_direction_is_traced_as_the_stack_that_it_is():
    torch.manual_seed(2)
    module = nn.GRU(X, H, num_layers=3).double()
    stack = Stack.from_torch(module)
    x, injected, start, final = draw(T, B, X), draw(T, B, H), draw(3, B, H), draw(3, B, H)
    one, other = trace(stack, x, injected, start, final), trace(Net.of_stacks([stack]), x, injected, start, final)
    for losses in ("all", "last"):
        assert close(other.log10_norm("h", losses), one.log10_norm("h", losses))
        assert close(other.log10_relative("h", losses), one.log10_relative("h", losses))
    for layer in range(3):
        ours, theirs = diagnose(one, layer=layer), diagnose(other, layer=layer)
        assert ours.decades_per_100_steps == pytest.approx(theirs.decades_per_100_steps, rel=1e-9)
        assert ours.verdict == theirs.verdict
        assert theirs.sentence.startswith(f"GRU, layer {layer}, h: ")
    assert other.rate().decades_per_step.to_numpy() == pytest.approx(one.rate().decades_per_step.to_numpy(), rel=1e-9)
    columns = [name for name in one.table if name.startswith("log10")]
    assert np.allclose(other.table[columns], one.table[columns], rtol=1e-10)


def test_a_net_is_exact_where_its_gradient_leaves_the_range_of_numbers():
    n = 3000
    low, high = (
        Stack("rnn_linear", ((np.eye(2), scale * np.eye(2), np.zeros(2), np.zeros(2)),)) for scale in (0.1, 0.5)
    )
    injected = np.zeros((n, 1, 2))
    injected[-1] = 1.0
    found = trace(Net.of_stacks([low, high]), np.zeros((n, 1, 2)), injected)
    whole = trace(Stack("rnn_linear", (*low.layers, *high.layers)), np.zeros((n, 1, 2)), injected)
    assert found.log10_norm("h")[0, 0, 0] < -800
    assert np.abs(found.log10_norm("h") - whole.log10_norm("h")).max() < 1e-9
    assert np.abs(found.log10_norm("x") - whole.log10_norm("x")).max() < 1e-9


def test_tables_and_diagnoses_name_layer_and_direction():
    torch.manual_seed(4)
    module = nn.LSTM(X, H, num_layers=2, bidirectional=True)
    injected = np.zeros((200, B, 2 * H))
    injected[-1] = 1.0
    found = trace(Stack.from_torch(module), torch.randn(200, B, X), injected)
    assert [*found.table.groupby(["layer", "direction"]).groups] == [
        (0, "forward"), (0, "reverse"), (1, "forward"), (1, "reverse"),
    ]  # fmt: skip
    one_row = found.table.query("layer == 1 and direction == 'reverse' and state == 'h' and step == 199")
    assert one_row.log10_norm.item() == pytest.approx(found.log10_norm("h")[3, 199].mean(), abs=1e-6)
    assert np.isneginf(found.log10_norm("h")[3, :199]).all()
    assert diagnose(found, layer=1).verdict == "vanishing"
    ahead, said = (diagnose(found, layer=1, direction=direction) for direction in ("forward", "reverse"))
    assert said.verdict == "undefined"
    assert "LSTM, layer 1 reverse, h and c: " in said.sentence
    assert said.sentence.endswith(
        " It reads from the end: its step 0 is the sequence's last. Where the loss reads it, it has read one step."
    )
    assert "LSTM, layer 1 forward, h and c: " in ahead.sentence
    assert "reads from the end" not in ahead.sentence
    lower = diagnose(found, direction="reverse").sentence
    assert "reads from the end" in lower
    assert "has read one step" not in lower, "the level above reads it at every step"
    injected[100, 0] = 1.0
    some = trace(found.net, torch.randn(200, B, X), injected)
    assert "has read one step" not in diagnose(some, layer=1, direction="reverse").sentence, "one sequence has read 100"
    with pytest.raises(ValueError, match="layer = 2, direction = 'forward' is not there"):
        diagnose(found, layer=2)


def overflowing(weight, tiny=0.0):
    """Two ReLU units, the upper one of this recurrent weight; two sequences of 6 steps."""
    one, none = np.ones((1, 1)), np.zeros(1)
    stack = Stack("rnn_relu", ((one, 0.5 * one, none, none), (one, weight * one, none, none)))
    inputs, injected = np.ones((6, 2, 1)), np.zeros((6, 2, 1))
    inputs[:, 0] = tiny
    injected[[2, 5]] = 1.0
    return stack, inputs, injected


@pytest.mark.parametrize("inputs", [0.0, 1e-308])
@pytest.mark.parametrize("options", [{}, {"lengths": [5, 6]}, {"resets": np.eye(6, 2, -3)}, {"resets": np.eye(6, 2)}])
def test_below_a_layer_that_overflows_the_gradient_is_undefined_as_in_a_plain_stack(inputs, options):
    """Forward in sequence 1; in sequence 0 of tiny inputs in the adjoint alone, with zeros nowhere."""
    stack, x, injected = overflowing(1e200, inputs)
    if "lengths" in options:
        injected[5] = 0
    one, other = trace(stack, x, injected, **options), trace(Net.of_stacks([stack]), x, injected, **options)
    assert np.isnan(one.log10_norm("h")[0, :, 1]).any()
    assert np.isnan(one.log10_initial("h")[:, 1]).any() == ("resets" not in options or options["resets"][1, 1] == 0)
    for losses in ("all", "last"):
        assert close(other.log10_norm("h", losses), one.log10_norm("h", losses))
    assert close(other.log10_initial("h"), one.log10_initial("h"))
    assert other.non_finite == one.non_finite
    assert [diagnose(other, layer=layer).verdict for layer in (0, 1)] == [
        diagnose(one, layer=layer).verdict for layer in (0, 1)
    ]


def test_the_layer_and_direction_that_overflowed_are_named_below_as_well():
    """A loss at step 2 of the upper forward layer: the lower reverse layer reads the steps up to there last."""
    module = nn.RNN(1, 1, num_layers=2, nonlinearity="relu", bidirectional=True, bias=False).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(0.5)
        module.weight_hh_l1.fill_(1e200)
    injected = np.zeros((6, 1, 2))
    injected[2, 0, 0] = 1.0
    found = trace(Stack.from_torch(module), np.ones((6, 1, 1)), injected)
    undefined = np.isnan(found.log10_norm("h"))[..., 0]
    assert undefined.tolist() == [[True] * 3 + [False] * 3, [True] * 6, [True] * 2 + [False] * 4, [False] * 6]
    assert np.isnan(found.log10_initial("h"))[:, 0].tolist() == [True, True, True, False]
    assert np.isnan(found.log10_norm("x"))[:, 0].all()
    for layer, way in ((0, "forward"), (0, "reverse"), (1, "forward")):
        said = diagnose(found, layer=layer, direction=way).sentence
        assert f"layer {layer} {way}, h: undefined. The forward pass overflows" in said
        assert "is at step 2 of layer 1 (sequence 0)" in said


def test_what_a_net_cannot_do_is_refused_with_what_to_do():
    net = Stack.from_torch(nn.GRU(X, H, bidirectional=True))
    x, injected = np.ones((T, B, X)), np.ones((T, B, 2 * H))
    with pytest.raises(ValueError, match="resets and a bidirectional net: pass each episode as a sequence"):
        trace(net, x, injected, resets=np.eye(T, B))
    with pytest.raises(ValueError, match=r"cotangents has shape \(11, 3, 5\): \[T, B, outputs\] = \(11, 3, 10\)"):
        trace(net, x, np.ones((T, B, H)))
    with pytest.raises(ValueError, match="initial_state h is of 1 layers: 2 are needed"):
        trace(net, x, injected, np.ones((1, B, H)))
    with pytest.raises(TypeError, match="is no single stack"):
        itemised.itemised(net, x, injected)
