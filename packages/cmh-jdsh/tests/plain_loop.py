"""The authors' training loop, written plainly: what the benchmark compares with."""

import torch
from torch import nn
from torch.nn.functional import mse_loss, normalize
from torch.utils.data import Dataset

D_IMAGE, D_TEXT, BITS = 4096, 1386, 64


class Samples(Dataset):
    """One sample at a time, as the original loop reads them."""

    def __init__(self, image: torch.Tensor, text: torch.Tensor) -> None:
        self.image, self.text = image.numpy(), text.numpy()

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        return torch.from_numpy(self.image[index]), torch.from_numpy(self.text[index]), index


class PlainLoop:
    """The same mathematics, written as the original writes it."""

    def __init__(self, device: torch.device) -> None:
        self.image_net = nn.Linear(D_IMAGE, BITS).to(device)
        text_net = nn.Sequential(nn.Linear(D_TEXT, 4096), nn.ReLU(), nn.Linear(4096, BITS))
        self.text_net = text_net.to(device)
        self.optimisers = [
            torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
            for net in (self.image_net, self.text_net)
        ]

    def target(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """The similarity that codes should have, with constants for MIR-Flickr25K."""
        image, text = normalize(image), normalize(text)
        of_image, of_text = 2 * image @ image.T - 1, 2 * text @ text.T - 1
        both = normalize(of_image) @ normalize(of_text).T
        similarity = 0.5 * of_image + 0.1 * of_text + 0.4 * (both + both.T) / 2
        left = similarity < -0.528
        similarity[left] = (1 + 0.1 * torch.exp(-(similarity[left] + 0.52))) * similarity[left]
        right = similarity > -0.138
        similarity[right] = (1 + 0.2 * torch.exp(similarity[right] - 0.68)) * similarity[right]
        return 1.4 * similarity

    def step(self, image: torch.Tensor, text: torch.Tensor) -> float:
        """Take one step and wait for its loss."""
        image_codes, text_codes = torch.tanh(self.image_net(image)), torch.tanh(self.text_net(text))
        target = self.target(image, text)
        unit_image, unit_text = normalize(image_codes), normalize(text_codes)
        loss = 0.1 * mse_loss(unit_image @ unit_image.T, target) + 0.1 * mse_loss(
            unit_text @ unit_text.T, target
        )
        loss = loss + mse_loss(unit_image @ unit_text.T, target) + mse_loss(unit_text @ unit_image.T, target)
        loss = loss - (unit_image * unit_text).sum(dim=1).mean()
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.item()
