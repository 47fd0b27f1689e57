"""What AGAH computes from the whole training set after each epoch: label codes and label memory."""

from __future__ import annotations

import torch


@torch.no_grad()
def update_label_codes(
    label_codes: torch.Tensor, image_codes: torch.Tensor, text_codes: torch.Tensor, label: torch.Tensor
) -> torch.Tensor:
    """Do one round of discrete coordinate descent over the bits of the label codes.

    `Q = 2 bits (L^T (U + V) + S C)` with `S = 2 I - 1 1^T` is fixed at the start; then for every bit j in
    turn `C_j <- sign(Q_j - 2 C_-j (U_-j^T u_j + V_-j^T v_j + C_-j^T c_j))`, in place, so that later bits see
    earlier ones. As in the authors' program the new C also stands where the old one should in the last
    product, Q takes L in {0, 1} although the loss takes 2 L - 1, and sign(0) = 0 may enter C.

    The products of code columns that the formula names bit by bit are the entries of two Gram matrices,
    computed once. All numbers are integers, so no rounding enters up to 2^23 samples.

    Args:
        label_codes: C, `(n_label, bits)` of signs.
        image_codes: U, `(n_train, bits)` real values; their signs count.
        text_codes: V, likewise.
        label: L, `(n_train, n_label)` of zeros and ones.

    Returns:
        `(n_label, bits)` in {-1, 0, 1}, of the dtype of `label_codes`.
    """
    bits = label_codes.shape[1]
    sign_image, sign_text = image_codes.sign().float(), text_codes.sign().float()  # (n_train, bits)
    gram = (sign_image.T @ sign_image + sign_text.T @ sign_text).double()  # (bits, bits)
    codes = label_codes.to(torch.float64, copy=True)
    label_sums = (label.float().T @ (sign_image + sign_text)).double()  # (n_label, bits)
    target = 2 * bits * (label_sums + 2 * codes - codes.sum(dim=0))  # Q
    for bit in range(bits):
        weight = gram[:, bit] + codes.T @ codes[:, bit]  # (bits,)
        weight[bit] = 0  # C_-j leaves the bit itself out
        codes[:, bit] = (target[:, bit] - 2 * (codes @ weight)).sign()
    return codes.to(label_codes.dtype)


@torch.no_grad()
def update_label_memory(
    image_features: torch.Tensor, text_features: torch.Tensor, label: torch.Tensor
) -> torch.Tensor:
    """Compute the mean feature of each label's samples, averaged over the modalities, of unit length.

    A label without samples gets a row of zeros; in the authors' program it becomes NaN and so does every
    code.

    Args:
        image_features: `(n_train, width)` normalised image features.
        text_features: `(n_train, width)` normalised text features.
        label: `(n_train, n_label)` of zeros and ones.

    Returns:
        `(n_label, width)`.
    """
    count = label.sum(dim=0).clamp_min(1).unsqueeze(1)  # (n_label, 1)
    mean = label.T @ (image_features + text_features) / (2 * count)
    return torch.nn.functional.normalize(mean, dim=1)
