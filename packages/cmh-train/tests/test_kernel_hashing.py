"""What methods with hash functions of similarities to anchors have in common."""

import pytest
import torch
from cmh_train import DataSpec, KernelHashingConfig, KernelHashingMethod, gaussian_kernel

SPEC = DataSpec(n_train=6, image_shape=(4,), text_width=3, n_label=2)


class Ones(KernelHashingMethod):
    """Its hash functions are ones, and only images were trained on."""

    def __init__(self, config, data_spec):
        super().__init__(config, data_spec)
        self.image_codes = torch.tensor([[-2.0, 0.0, 2.0]])
        self.fitted = []

    def _fitted_modalities(self):
        return ["image"]

    def _fit_function(self, modality):
        self.fitted.append(modality)
        return torch.ones(2, self.bits)


def test_hash_functions_are_fitted_once_for_the_modalities_with_items():
    method = Ones(KernelHashingConfig(bits=8, anchors=5), SPEC)
    text = method.text_function.clone()
    method.prepare_encoding()
    assert method.fitted == [], "no round has moved the codes"
    method._codes_moved = True
    for _ in range(2):
        method.prepare_encoding()
    assert method.fitted == ["image"]
    assert torch.equal(method.image_function, torch.tensor([[1.0], [1], [0], [0], [0]]).expand(5, 8))
    assert torch.equal(method.text_function, text)


def test_codes_are_sums_of_similarities_worked_by_hand():
    method = Ones(KernelHashingConfig(bits=8), SPEC)
    method._codes_moved = True
    method.prepare_encoding()
    method.image_anchors[0, 0] = 5.0
    method.image_kernel_width.fill_(25.0)
    codes = method.encode("image", torch.zeros(1, 4))  # 5 away from the first anchor, at the second
    torch.testing.assert_close(codes, torch.full((1, 8), torch.e**-1 + 1))
    assert torch.equal(
        gaussian_kernel(torch.zeros(1, 4), method.image_anchors, method.image_kernel_width)[:, 1:],
        torch.ones(1, 5),
    )


def test_learned_codes_are_signs_where_the_database_is_learned():
    assert Ones(KernelHashingConfig(), SPEC).learned_codes("image") is None
    learned = Ones(KernelHashingConfig(database="learned"), SPEC).learned_codes("image")
    assert learned.tolist() == [[-1, 1, 1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_shape": (3, 8, 8)}, r"images of Ones must be features \(d,\)"),
        ({"n_label": 0}, "Ones learns from labels, but the data have none"),
    ],
)
def test_pixels_and_data_without_labels_are_refused(changes, message):
    spec = {"n_train": 6, "image_shape": (4,), "text_width": 3, "n_label": 2, **changes}
    with pytest.raises(ValueError, match=message):
        Ones(KernelHashingConfig(), DataSpec(**spec))
