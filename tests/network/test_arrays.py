"""What callers pass as numbers keeps its values, or is refused by its name."""

import numpy as np
import pytest
import torch

from gradlab.network.arrays import on_the_cpu


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_of_any_precision_keeps_its_values(dtype):
    tensor = torch.tensor([[0.1, -3.0]], dtype=dtype, requires_grad=True)
    found = on_the_cpu(tensor, "inputs")
    assert found.dtype == np.float64
    assert found.tolist() == tensor.tolist()


@pytest.mark.parametrize("value", [2**53 + 1, True])
def test_a_tensor_of_whole_numbers_stays_one(value):
    assert on_the_cpu(torch.tensor([value]), "inputs").tolist() == [value]
    assert on_the_cpu(torch.tensor([value]), "inputs").dtype == np.asarray([value]).dtype


def test_nested_numbers_are_an_array_and_a_ragged_one_or_a_hole_is_refused_by_name():
    assert on_the_cpu([[1.5, 2.0]], "inputs").tolist() == [[1.5, 2.0]]
    whole = np.ma.masked_array([1.0, 2.0], mask=[False, False])
    assert on_the_cpu(whole, "inputs").tolist() == [1.0, 2.0]
    for value, words in (
        ([[1.0], [2.0, 3.0]], "inputs cannot be read as an array"),
        (np.ma.masked_array([1.0, 2.0], mask=[False, True]), "inputs has masked entries"),
        (torch.ones(2, device="meta"), "inputs is a tensor on the meta device"),
    ):
        with pytest.raises(ValueError, match=words):
            on_the_cpu(value, "inputs")
