"""What every repository that images are copied from and to must do."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Protocol

import pytest

from kops_assets_provider.exceptions import BlobUnknownError, NotFoundError, PermanentError
from kops_assets_provider.oci.manifest import OCI_MANIFEST, Descriptor, Manifest, parse_manifest
from kops_assets_provider.oci.ports import Chunks, ImageSource, ImageTarget, Push
from tests.support.images import ImageKind, make_image


class Repository(ImageSource, ImageTarget, Protocol):
    """Both at once."""


class RepositoryContract:
    """
    Subclass it with the fixtures ``repository`` and ``sibling``.

    Both give empty repositories, in the same registry.
    https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
    """

    @pytest.fixture
    def image(self) -> Manifest:
        """An image of one platform."""
        made = make_image("contract", kind=ImageKind.OCI_MANIFEST)
        self.blobs = dict(made.blobs)
        return parse_manifest(made.top.data, OCI_MANIFEST)

    def test_an_absent_manifest_has_no_digest(self, repository: Repository) -> None:
        """A name that is not there is an answer, not an error."""
        assert repository.resolve("1.0") is None

    def test_an_absent_manifest_cannot_be_fetched(self, repository: Repository) -> None:
        """What is not there cannot be read."""
        with pytest.raises(NotFoundError):
            repository.fetch_manifest("1.0")

    def test_a_blob_is_sent_once(self, repository: Repository, image: Manifest) -> None:
        """A blob that the repository has is not sent again; its bytes come back as they went in."""
        blob = image.blobs[0]
        assert not repository.has_blob(blob.digest, repository.name)
        assert repository.push_blob(blob, partial(self.opened, blob)) is Push.SENT
        assert repository.push_blob(blob, partial(self.opened, blob)) is Push.PRESENT
        assert repository.has_blob(blob.digest, repository.name)
        with repository.open_blob(blob) as chunks:
            assert b"".join(chunks) == self.blobs[blob.digest]

    def test_a_blob_is_opened_in_the_middle(self, repository: Repository, image: Manifest) -> None:
        """A copy that broke off goes on where it was."""
        blob = image.blobs[0]
        repository.push_blob(blob, partial(self.opened, blob))
        with repository.open_blob(blob, 3) as chunks:
            assert b"".join(chunks) == self.blobs[blob.digest][3:]

    def test_a_blob_comes_from_another_repository(
        self, repository: Repository, sibling: Repository, image: Manifest
    ) -> None:
        """Repositories of one registry share blobs; a wrong hint costs nothing but the bytes."""
        there, absent = image.blobs[:2]
        sibling.push_blob(there, partial(self.opened, there))
        assert repository.registry == sibling.registry
        assert repository.has_blob(there.digest, sibling.name)
        mount = partial(repository.push_blob, mount_from=sibling.name)
        assert mount(there, partial(self.opened, there)) is Push.MOUNTED
        assert mount(absent, partial(self.opened, absent)) is Push.SENT
        for blob in (there, absent):
            with repository.open_blob(blob) as chunks:
                assert b"".join(chunks) == self.blobs[blob.digest]

    def test_a_blob_that_comes_is_waited_for(
        self, repository: Repository, sibling: Repository, image: Manifest
    ) -> None:
        """Another copy may be about to upload it."""
        blob = image.blobs[0]

        def comes() -> bool:
            sibling.push_blob(blob, partial(self.opened, blob))
            return True

        opened = partial(self.opened, blob)
        assert repository.push_blob(blob, opened, sibling.name, comes) is Push.MOUNTED
        assert repository.has_blob(blob.digest, repository.name)

    def test_an_absent_blob_cannot_be_opened(self, repository: Repository, image: Manifest) -> None:
        """A blob that is not there is not found."""
        with pytest.raises(NotFoundError), repository.open_blob(image.blobs[0]) as chunks:
            b"".join(chunks)

    def test_a_manifest_comes_back_byte_for_byte(
        self, repository: Repository, image: Manifest
    ) -> None:
        """By its tag and by its digest, and the digest is that of its bytes."""
        self.push(repository, image)
        assert repository.resolve("1.0") == image.digest == repository.resolve(image.digest)
        assert repository.fetch_manifest("1.0") == image
        assert repository.fetch_manifest(image.digest) == image

    def test_a_manifest_needs_its_blobs(self, repository: Repository, image: Manifest) -> None:
        """A manifest whose blobs are missing is refused: nobody could pull it."""
        with pytest.raises(BlobUnknownError):
            repository.push_manifest("1.0", image)
        assert repository.resolve("1.0") is None

    def test_a_tag_can_be_moved(self, repository: Repository, image: Manifest) -> None:
        """The last push of a tag is what it stands for."""
        self.push(repository, image)
        other = make_image("other", kind=ImageKind.OCI_MANIFEST)
        self.blobs |= other.blobs
        moved = parse_manifest(other.top.data, OCI_MANIFEST)
        self.push(repository, moved)
        assert repository.resolve("1.0") == moved.digest

    def test_wrong_bytes_are_not_stored(self, repository: Repository, image: Manifest) -> None:
        """Whoever pushes bytes that raise an error has pushed nothing."""
        blob = image.blobs[0]

        def fails(_: int) -> Chunks:
            raise PermanentError("no such bytes")

        with pytest.raises(PermanentError):
            repository.push_blob(blob, fails)
        with pytest.raises(NotFoundError), repository.open_blob(blob) as chunks:
            b"".join(chunks)

    def opened(self, blob: Descriptor, offset: int = 0) -> Chunks:
        """Open a blob of the image."""
        return nullcontext(iter([self.blobs[blob.digest][offset:]]))

    def push(self, repository: Repository, image: Manifest) -> None:
        """Push all of an image under the tag 1.0."""
        for blob in image.blobs:
            repository.push_blob(blob, partial(self.opened, blob))
        repository.push_manifest("1.0", image)
