"""IResNet: ArcFace's residual network for faces (Deng et al., CVPR 2019). IResNet-50 is the paper's backbone.

The names of the tensors are those of insightface's checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from asccl.nets.blocks import Freezable

INPUT_SIZE = 112
EMBEDDING_SIZE = 512
MAP_CHANNELS = (64, 128, 256, 512)
MAP_STRIDES = (2, 4, 8, 16)
DEPTHS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3)}  # blocks of each layer


class Block(nn.Module):
    """Normalise, look around, bend, look around; plus its input, thinned out where the block halves the size."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))"""
        y = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


class FoldedBlock(nn.Module):
    """A frozen `Block` in two convolutions: what it adds up in three more passes over the map is in their weights.

    bn1 cannot go into conv1 as a plain bias, for the padding comes after it: within one pixel of the border a shift
    reaches fewer taps. `shift` holds the 3 x 3 cases.
    """

    shift: torch.Tensor

    def __init__(self, block: Block):
        super().__init__()
        scale = block.bn1.weight / (block.bn1.running_var + block.bn1.eps).sqrt()
        offset = (block.bn1.bias - block.bn1.running_mean * scale)[None, :, None, None]
        self.conv1 = fuse_conv_bn_eval(block.conv1, block.bn2)
        cases = F.conv2d(offset.expand(-1, -1, 3, 3), self.conv1.weight, self.conv1.bias, padding=1)
        self.register_buffer("shift", cases)
        self.conv1.weight = nn.Parameter(self.conv1.weight * scale[:, None, None])
        self.conv1.bias = None
        self.prelu = block.prelu
        self.conv2 = fuse_conv_bn_eval(block.conv2, block.bn3)
        self.downsample = None if block.downsample is None else fuse_conv_bn_eval(*block.downsample)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As `Block`. Both sides of the map must have at least two pixels."""
        y = self.conv1(x)
        rows, columns = (self._case(n) for n in y.shape[-2:])
        y = self.conv2(self.prelu(y + self.shift[:, :, rows][:, :, :, columns]))
        return y + (x if self.downsample is None else self.downsample(x))

    def _case(self, size: int) -> torch.Tensor:
        """0 for the first, 2 for the last, 1 for what lies between."""
        place = torch.arange(size, device=self.shift.device)
        return 1 + (place == size - 1).int() - (place == 0).int()


class IResNet(Freezable):
    """depth: one of `DEPTHS`. head: with the embedding behind the last map, which `maps` does not need."""

    MAP_CHANNELS = MAP_CHANNELS
    MAP_STRIDES = MAP_STRIDES

    def __init__(self, depth: int = 50, head: bool = False):
        super().__init__()
        self.head = head
        self.smallest = MAP_STRIDES[-1]
        self.conv1 = nn.Conv2d(3, MAP_CHANNELS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(MAP_CHANNELS[0])
        self.prelu = nn.PReLU(MAP_CHANNELS[0])
        inputs = MAP_CHANNELS[0]
        for number, (outputs, blocks) in enumerate(zip(MAP_CHANNELS, DEPTHS[depth], strict=True), 1):
            layer = nn.Sequential(Block(inputs, outputs, 2), *(Block(outputs, outputs) for _ in range(blocks - 1)))
            self.add_module(f"layer{number}", layer)
            inputs = outputs
        if head:
            self.bn2 = nn.BatchNorm2d(inputs)
            self.dropout = nn.Dropout(0)
            self.fc = nn.Linear(inputs * (INPUT_SIZE // MAP_STRIDES[-1]) ** 2, EMBEDDING_SIZE)
            self.features = nn.BatchNorm1d(EMBEDDING_SIZE)

    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps of falling size.

        x: (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16, an ArcFace crop. Returns the outputs of the four
        layers, (B, `MAP_CHANNELS`[i], H / `MAP_STRIDES`[i], W / `MAP_STRIDES`[i]). Differentiable. Raises ValueError.
        """
        if x.dim() != 4 or x.shape[1] != 3 or x.shape[2] % 16 or x.shape[3] % 16 or min(x.shape[2:]) < self.smallest:
            least = "" if self.smallest == 16 else f" from {self.smallest} on"
            raise ValueError(f"expected (B, 3, H, W) with H and W multiples of 16{least}, got {tuple(x.shape)}")
        x = self.prelu(self.bn1(self.conv1(x)))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, 112, 112) RGB in [-1, 1], an ArcFace crop -> (B, 512) embedding, not normalised. Raises ValueError."""
        if not self.head:
            raise ValueError("expected a network with its head; this one only has feature maps")
        if x.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ValueError(f"expected (B, 3, {INPUT_SIZE}, {INPUT_SIZE}), got {tuple(x.shape)}")
        return self.features(self.fc(self.dropout(self.bn2(self.feature_maps(x)[-1])).flatten(1)))

    def drop_head(self) -> IResNet:
        """Only what `maps` needs stays."""
        for name in ("bn2", "dropout", "fc", "features") if self.head else ():
            delattr(self, name)
        self.head = False
        return self

    def fold_batch_norm(self) -> IResNet:
        """The same network in fewer steps, itself changed: keeps half the memory for a backward pass.

        For a frozen network with its weights in it. The names of its tensors are others afterwards, and `maps` needs 32
        pixels a side. Raises ValueError.
        """
        if not self.frozen or isinstance(self.bn1, nn.Identity):
            raise ValueError("expected a frozen network that was not folded before")
        self.conv1, self.bn1 = fuse_conv_bn_eval(self.conv1, self.bn1), nn.Identity()
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            for index, block in enumerate(layer):
                layer[index] = FoldedBlock(block)
        self.smallest, self.frozen = 32, False  # or it would be deaf to what follows, too
        return self.freeze()
