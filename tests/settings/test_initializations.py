"""Draws of the recurrent weight against their theory."""

import math

import pytest
import torch

from gradlab.settings.initializations import INITIALIZATIONS

H = 400
RANDOM = {  # variance of an entry times H
    "pytorch": 1 / 3,
    "xavier_uniform": 1,
    "xavier_normal": 1,
    "kaiming": 2,
    "gaussian": 1,
    "orthogonal": 1,
}
UNIFORM = {"pytorch": 1, "xavier_uniform": math.sqrt(3)}  # bound times √H
NORMAL = {"xavier_normal": 1, "kaiming": math.sqrt(2), "gaussian": 1}  # standard deviation times √H


def drawn(name, size=H, seed=1):
    return INITIALIZATIONS[name]((size, size), torch.Generator().manual_seed(seed))


def largest_gap(sample, cumulative):
    """Kolmogorov-Smirnov statistic: the largest gap between a sample's and a law's distribution functions."""
    ordered = sample.flatten().sort().values
    n = len(ordered)
    expected = cumulative(ordered)
    above = (torch.arange(1, n + 1) / n - expected).max()
    below = (expected - torch.arange(n) / n).max()
    return max(above.item(), below.item())


def threshold(n):
    """A sample of n from the law itself exceeds this once in 10,000 times: √(ln(2·10⁴)/2n)."""
    return math.sqrt(math.log(2e4) / (2 * n))


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_a_draw_is_float64_and_decided_by_the_generator(name):
    first, again = drawn(name), drawn(name)
    assert first.shape == (H, H)
    assert first.dtype == torch.float64
    assert torch.equal(first, again)
    assert torch.equal(first, drawn(name, seed=2)) == (name not in RANDOM)


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_a_draw_leaves_the_global_random_state_alone(name):
    before = torch.get_rng_state()
    drawn(name, size=8)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "variance"), RANDOM.items())
def test_entries_have_mean_zero_and_the_variance_of_the_theory(name, variance):
    U = drawn(name) * math.sqrt(H)
    assert abs(U.mean().item()) < 5 * math.sqrt(variance) / H  # five standard errors of H² entries
    assert U.var().item() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize(("name", "bound"), UNIFORM.items())
def test_uniform_draws_fill_their_interval_evenly(name, bound):
    U = drawn(name) * math.sqrt(H)
    assert U.abs().max() <= bound
    assert largest_gap(U, lambda x: (x / bound + 1) / 2) < threshold(H * H)


@pytest.mark.parametrize(("name", "deviation"), NORMAL.items())
def test_normal_draws_follow_the_normal_law(name, deviation):
    U = drawn(name) * math.sqrt(H)
    assert largest_gap(U, lambda x: torch.special.ndtr(x / deviation)) < threshold(H * H)


def test_the_check_of_a_law_refuses_a_law_off_by_two_percent():
    U = drawn("gaussian") * math.sqrt(H)
    assert largest_gap(U, lambda x: torch.special.ndtr(x / 1.02)) > threshold(H * H)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_orthogonal_is_orthogonal(size):
    U = drawn("orthogonal", size)
    assert torch.allclose(U @ U.T, torch.eye(size, dtype=torch.float64), rtol=0, atol=1e-13)


def test_orthogonal_takes_rotations_and_reflections_alike():
    signs = [torch.det(drawn("orthogonal", 3, seed)).sign().item() for seed in range(200)]
    assert abs(sum(signs)) < 60  # four standard deviations of 200 fair signs


def test_identity_and_zeros_are_what_they_say():
    assert torch.equal(drawn("identity"), torch.eye(H, dtype=torch.float64))
    assert not drawn("zeros").any()


@pytest.mark.parametrize(("name", "radius"), [("pytorch", 1 / math.sqrt(3)), ("gaussian", 1.0)])
def test_the_spectral_radius_tends_to_the_gain_and_the_spectral_norm_to_twice_it(name, radius):
    U = drawn(name)
    assert torch.linalg.eigvals(U).abs().max().item() == pytest.approx(radius, rel=0.1)
    assert torch.linalg.matrix_norm(U, 2).item() == pytest.approx(2 * radius, rel=0.03)
