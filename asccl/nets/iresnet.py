"""IResNet: ArcFace's residual network for faces (Deng et al., CVPR 2019). IResNet-50 is the paper's backbone.

Tensors have the names of insightface's checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from asccl.nets.blocks import Freezable

INPUT_SIZE = 112  # pixels
EMBEDDING_SIZE = 512
MAP_CHANNELS = (64, 128, 256, 512)
MAP_STRIDES = (2, 4, 8, 16)
DEPTHS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3)}  # number of blocks of each layer


class Block(nn.Module):
    """Residual block BN-conv-BN-PReLU-conv-BN; a strided 1x1 convolution on the shortcut where the resolution halves.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: 1, or 2 to halve the resolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.prelu = nn.PReLU(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride > 1:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        y = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


class FoldedBlock(nn.Module):
    """A frozen `Block` whose three batch normalizations are folded into its two convolutions.

    The offset of bn1 does not fold into a plain bias of conv1, because conv1 pads with zeros after bn1: at the border
    fewer taps of the kernel see the offset. `shift` holds the bias of the 3 x 3 cases first / inner / last row and
    column.
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
        rows, columns = (self._border_case(n) for n in y.shape[-2:])
        y = self.conv2(self.prelu(y + self.shift[:, :, rows][:, :, :, columns]))
        return y + (x if self.downsample is None else self.downsample(x))

    def _border_case(self, size: int) -> torch.Tensor:
        """(size,) 0 for the first index, 2 for the last, 1 for the others."""
        index = torch.arange(size, device=self.shift.device)
        return 1 + (index == size - 1).int() - (index == 0).int()


class IResNet(Freezable):
    """ArcFace's residual network.

    Args:
        depth: one of `DEPTHS`.
        head: whether to add the layers after the last feature map, which compute the embedding.
    """

    MAP_CHANNELS = MAP_CHANNELS
    MAP_STRIDES = MAP_STRIDES

    def __init__(self, depth: int = 50, head: bool = False):
        super().__init__()
        self.depth, self.head = depth, head
        self.min_size = MAP_STRIDES[-1]
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
        """Compute four feature maps of decreasing size.

        x: (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16, an ArcFace crop. Returns the outputs of the four
        layers, (B, `MAP_CHANNELS`[i], H / `MAP_STRIDES`[i], W / `MAP_STRIDES`[i]). Differentiable. Raises ValueError.
        """
        if x.dim() != 4 or x.shape[1] != 3 or x.shape[2] % 16 or x.shape[3] % 16 or min(x.shape[2:]) < self.min_size:
            minimum = "" if self.min_size == 16 else f" and at least {self.min_size}"
            raise ValueError(f"expected (B, 3, H, W) with H and W multiples of 16{minimum}, got {tuple(x.shape)}")
        x = self.prelu(self.bn1(self.conv1(x)))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute an identity embedding.

        x: (B, 3, 112, 112) RGB in [-1, 1], an ArcFace crop. Returns (B, 512), not normalized. Raises ValueError.
        """
        if not self.head:
            raise ValueError("expected a network with its head; this one only has feature maps")
        if x.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ValueError(f"expected (B, 3, {INPUT_SIZE}, {INPUT_SIZE}), got {tuple(x.shape)}")
        return self.features(self.fc(self.dropout(self.bn2(self.feature_maps(x)[-1])).flatten(1)))

    @property
    def is_folded(self) -> bool:
        """Whether batch normalization is folded into the convolutions."""
        return isinstance(self.bn1, nn.Identity)

    def drop_head(self) -> IResNet:
        """Remove the layers that `feature_maps` does not need, in place; returns the network."""
        for name in ("bn2", "dropout", "fc", "features") if self.head else ():
            delattr(self, name)
        self.head = False
        return self

    def fold_batch_norm(self) -> IResNet:
        """Fold batch normalization into the convolutions, in place; a backward pass then keeps half the memory.

        The network must be frozen and have its final weights. Afterwards its tensors have other names, and
        `feature_maps` needs at least 32 pixels a side. Returns the network. Raises ValueError.
        """
        if not self.frozen or self.is_folded:
            raise ValueError("expected a frozen network that is not folded yet")
        self.conv1, self.bn1 = fuse_conv_bn_eval(self.conv1, self.bn1), nn.Identity()
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            for index, block in enumerate(layer):
                layer[index] = FoldedBlock(block)
        self.min_size, self.frozen = 32, False  # so that `freeze` sets the mode of the new layers
        return self.freeze()
