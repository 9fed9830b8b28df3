"""Files of the Hugging Face Hub, fetched by its own client.

The client resumes, and takes the token from the environment (HF_TOKEN) or from a saved login.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_ADDRESS = re.compile(
    r"https://huggingface\.co/(?P<datasets>datasets/)?(?P<repository>[^/]+/[^/]+)"
    r"/resolve/(?P<revision>[^/]+)/(?P<file>[^?]+)"
)


class HubError(Exception):
    """The Hub did not give the file; the message says why, in a few words."""


def parse_address(url: str) -> dict[str, str] | None:
    """The arguments of `fetch_from_hub` in an address of the Hub; None for any other address."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return None
    parts = found.groupdict()
    return parts | {"kind": "dataset" if parts.pop("datasets") else "model"}


def fetch_from_hub(
    file: str,
    repository: str,
    revision: str,
    *,
    folder: Path,
    kind: str = "model",
    offline: bool = False,
    token: str | None = None,
) -> Path:
    """Fetch a file of a repository into `folder`, where a broken download resumes; its path.

    file: its path in the repository, e.g. `vq_ds16_c2i.pt`
    repository: OWNER/NAME; kind: `model` or `dataset`
    revision: a commit's full hash, or a branch
    offline: do not use the network
    token: for a repository with restricted access; None: the environment's, or a saved login's

    HF_ENDPOINT replaces the Hub's address by that of a mirror. Raises HubError; OSError if the file
    cannot be written.
    """
    from huggingface_hub import errors, hf_hub_download

    try:
        path = hf_hub_download(
            repository,
            file,
            repo_type=kind,
            revision=revision,
            local_dir=folder,
            local_files_only=offline,
            token=token,
            endpoint=os.environ.get("HF_ENDPOINT") or None,
        )
    except (errors.GatedRepoError, errors.RepositoryNotFoundError) as error:
        raise HubError("it asks for a token: accept its terms, then set HF_TOKEN") from error
    except (errors.EntryNotFoundError, errors.RevisionNotFoundError) as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise HubError("it cannot be reached") from error
        raise HubError("it has no such file") from error
    except errors.HfHubHTTPError as error:
        answer = getattr(error.response, "status_code", "an error")
        raise HubError(f"it answers {answer}") from error
    except Exception as error:  # which HTTP library raises depends on the client's version
        if isinstance(error, OSError) and error.errno:  # the disk's
            raise
        raise HubError("the connection broke") from error
    return Path(path)
