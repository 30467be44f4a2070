"""The pictures of seeded listings, drawn and processed once for all of them.

Their files belong to nobody who has an account, so that nobody's leaving removes them, and no message that removes
unused files ever names them (docs/adr/0022). A run that is cut off leaves files which the next one writes again.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from uuid import UUID

from pydantic_settings import EnvSettingsSource
from tools.marketplace.drawings import Drawing
from tools.marketplace.offers import NEWEST

from cas_kit.images import ImageProcessor
from cas_kit.storage import Storage
from cas_listings.domain.images import public_path
from cas_listings.models import ListingImage
from cas_listings.operations.processing import MakePicture, picture_maker
from cas_listings.settings import Settings

ILLUSTRATOR = UUID("11105742-0000-4000-8000-000000000001")  # owns the files, and nothing else
AT_ONCE = 2


class Album:
    """Publishes drawings as the listings service's worker publishes what people upload.

    :param make: makes a picture of a file, as the worker does.
    :param media_url: the address below which files are served.
    """

    def __init__(self, storage: Storage, *, make: MakePicture, media_url: str, seed: int) -> None:
        self._storage = storage
        self._make = make
        self._media_url = media_url
        self._seed = seed

    def publish(self, drawings: Sequence[Drawing]) -> Iterator[tuple[Drawing, ListingImage]]:
        """Write the files of each and say what shows them. Safe to repeat: the same seed makes the same files."""
        with ThreadPoolExecutor(AT_ONCE) as artists:
            yield from zip(drawings, artists.map(self._published, drawings), strict=True)

    def _published(self, drawing: Drawing) -> ListingImage:
        file = drawing.file(seed=self._seed)
        picture = self._make(file)
        path = public_path(ILLUSTRATOR, picture.digest)
        for variant in picture.variants:
            self._storage.put(f"{path}/{variant.file_name}", variant.data)
        image = ListingImage.uploaded(owner=ILLUSTRATOR, upload_digest=sha256(file).hexdigest(), now=NEWEST)
        image.finish(picture, media_url=self._media_url)
        return image


@contextmanager
def open_album(environment: Mapping[str, str], *, seed: int) -> Iterator[Album]:
    """The album of the listings service that runs with this environment."""
    settings = listings_settings(environment)
    processor = ImageProcessor(at_once=AT_ONCE)
    make = picture_maker(processor, also_avif=settings.images_in_avif)
    try:
        yield Album(Storage.of(settings), make=make, media_url=settings.media_url, seed=seed)
    finally:
        processor.close()


def listings_settings(environment: Mapping[str, str]) -> Settings:
    """What this environment decides for the listings service."""
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in environment.items()}
    return Settings.model_validate(source())
