"""Pictures that strangers send: looked at, decoded where nothing can break, and written anew (docs/adr/0021)."""

from cas_kit.images.errors import (
    FileMissing,
    FileTooLarge,
    ImageTooLarge,
    ImageUnreadable,
    UnsupportedImageType,
)
from cas_kit.images.inspection import ImageLimits, ImageType, inspect
from cas_kit.images.processor import ImageProcessor
from cas_kit.images.recipes import OutputFormat, Picture, Recipe, Variant

__all__ = [
    "FileMissing",
    "FileTooLarge",
    "ImageLimits",
    "ImageProcessor",
    "ImageTooLarge",
    "ImageType",
    "ImageUnreadable",
    "OutputFormat",
    "Picture",
    "Recipe",
    "UnsupportedImageType",
    "Variant",
    "inspect",
]
