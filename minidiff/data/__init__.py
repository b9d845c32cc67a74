"""The data sets: one function each, every one returning a `Data`.

    moons = two_moons(10_000)            a set in the plane, made from a seed
    clothes = fashion_mnist("train")     60,000 grey images of 28 x 28 pixels
    tiles = sprites()                    1,465 colour images of 32 x 32 pixels
    drawn = scenes(10_000)               colour images of 32 x 32 pixels with captions, made from a seed
    photos = cifar10("train")            50,000 colour images of 32 x 32 pixels, from an archive that you download
    mine = from_folder("my-pictures")    pictures of your own, sub-folders as classes
    mine = from_array(x, y)              arrays of your own: images, points, signals

Every set is standardised by one scalar shift and one scalar scale: the mean over all coordinates is 0 and the mean
square is 1. The rest of the package can therefore take the spread of the data to be 1. They are fixed constants of the
set and not statistics of the sample drawn, but for your own data. The sets in the plane are centred by their recipes,
so their shift is 0. The data cards under `data/` give the numbers, the sources and the licences.
"""

from .dataset import Data
from .drawing import outline
from .files import DataError, cache_folder, data_folders, find
from .folder import found_again, from_array, from_folder, from_path
from .images import cifar10, fashion_mnist, fetch_fashion_mnist, sprites
from .points import MIXTURE, Mixture, checkerboard, gaussian_mixture, pinwheel, rings, spirals, swiss_roll, two_moons
from .scenes import Scene, Thing, render, scene, scenes

__all__ = [
    "MIXTURE",
    "Data",
    "DataError",
    "Mixture",
    "Scene",
    "Thing",
    "cache_folder",
    "checkerboard",
    "cifar10",
    "data_folders",
    "fashion_mnist",
    "fetch_fashion_mnist",
    "find",
    "found_again",
    "from_array",
    "from_folder",
    "from_path",
    "gaussian_mixture",
    "outline",
    "pinwheel",
    "render",
    "rings",
    "scene",
    "scenes",
    "spirals",
    "sprites",
    "swiss_roll",
    "two_moons",
]
