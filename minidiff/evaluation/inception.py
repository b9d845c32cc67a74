"""The network of published FIDs."""

import torch
from torch import Tensor

from ..refusals import tensor


@torch.no_grad()
def inception(images: Tensor, layer: str = "2048") -> Tensor:
    """Features (N, 2048) of images, bytes (N, 3, H, W) or (N, 1, H, W), by the Inception-v3 of published FIDs.

    The network is torch-fidelity's copy of the one in Heusel et al. 2017; its layer "logits_unbiased" is what an
    Inception Score takes the softmax of. The first call fetches the weights, which that library unpickles. Raises
    RuntimeError where torch-fidelity is missing, and ValueError for other images.
    """
    images = tensor("images", images)
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] not in (1, 3) or not len(images):
        said = f"{tuple(images.shape)} of {images.dtype}"
        raise ValueError(f"Inception-v3 was given {said}: it sees bytes, (N, 3, H, W) or (N, 1, H, W), uint8 in 0..255")
    try:
        from torch_fidelity import FeatureExtractorInceptionV3
    except ImportError as error:
        raise RuntimeError(f'Inception-v3 comes with torch-fidelity: pip install -e ".[fid]" ({error})') from error
    network = FeatureExtractorInceptionV3("inception-v3-compat", [layer]).to(images.device)
    return torch.cat([network(batch)[0] for batch in images.expand(-1, 3, -1, -1).split(50)])
