"""Published data sets: a record each, with its files, mirrors, hashes and folders."""

import reprlib
from typing import NamedTuple, TypeAlias

import numpy as np

from rnn_native.base.rules import did_you_mean, quoted
from rnn_native.datasets.idx import idx_header
from rnn_native.datasets.pairs import Bytes

Split: TypeAlias = tuple[Bytes, Bytes]


class File(NamedTuple):
    """One IDX file of a data set, under the name that it has when it is not packed.

    Attributes
    ----------
    name : str
    size : int
        Of the content; it bounds a download.
    sha256 : str
        Of the content.
    gz_sha256 : str
        Of the .gz of the mirrors, where only that is published; it is then kept packed.
    npz : str
        Name of the npz file with the same content as its only array, where there is one.
    """

    name: str
    size: int = 0
    sha256: str = ""
    gz_sha256: str = ""
    npz: str = ""


class Published(NamedTuple):
    """A data set that `load_dataset` knows by name.

    Attributes
    ----------
    name : str
        What users call it.
    title : str
        For messages.
    source : str
        Where the publisher offers it.
    files : tuple of File
        Training images, training labels, test images, test labels.
    folders : tuple of str
        Folders of these files below a folder of data, the usual one first: torchvision's, and
        those that people make by hand. A record with "" has names that no other set has, or is
        MNIST; the others are recognized by their folder.
    mirrors : tuple of str
        Addresses before the name of a file and ".gz"; empty where no hash of the files is
        published, and so none is downloaded.
    keras : str
        File or folder that Keras keeps, below its folder of data sets.
    classes : int
        Number of classes; labels are returned as 0 to classes - 1.
    shape : tuple of int
        Of an image.
    first_label : int
        Label of the first class in the files.
    label_rows : bool
        The files of labels have a row of int32 an image, and the first of it is the class.
    transposed : bool
        The files have the columns of an image as its rows.
    """

    name: str
    title: str
    source: str
    files: tuple[File, ...]
    folders: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    keras: str = ""
    classes: int = 10
    shape: tuple[int, int] = (28, 28)
    first_label: int = 0
    label_rows: bool = False
    transposed: bool = False


def _emnist(part: str, classes: int) -> Published:
    """Return the record of a part of EMNIST.

    NIST offers one archive of six; nobody publishes hashes of the files in it.
    """
    name = f"emnist-{part}"
    ends = ("images-idx3-ubyte", "labels-idx1-ubyte")
    return Published(
        name,
        f"EMNIST {part}",
        "https://www.nist.gov/itl/products-and-services/emnist-dataset",
        tuple(File(f"{name}-{split}-{end}") for split in ("train", "test") for end in ends),
        folders=("EMNIST/raw", "EMNIST/raw/gzip", "gzip", "emnist", ""),
        classes=classes,
        first_label=1 if part == "letters" else 0,
        transposed=True,
    )


# The hashes of MNIST's files are those of their contents, which all mirrors share. Those of
# the others are of the .gz, as TensorFlow Datasets (url_checksums) and torchvision list them.
_RECORDS = (
    Published(
        "mnist",
        "MNIST",
        "http://yann.lecun.com/exdb/mnist/",
        (
            File(
                "train-images-idx3-ubyte",
                47_040_016,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            File(
                "train-labels-idx1-ubyte",
                60_008,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            File(
                "t10k-images-idx3-ubyte",
                7_840_016,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            File(
                "t10k-labels-idx1-ubyte",
                10_008,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        folders=("", "MNIST/raw", "mnist"),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        keras="mnist.npz",
    ),
    Published(
        "fashion",
        "Fashion-MNIST",
        "https://github.com/zalandoresearch/fashion-mnist",
        (
            File(
                "train-images-idx3-ubyte",
                47_040_016,
                gz_sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            File(
                "train-labels-idx1-ubyte",
                60_008,
                gz_sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            File(
                "t10k-images-idx3-ubyte",
                7_840_016,
                gz_sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            File(
                "t10k-labels-idx1-ubyte",
                10_008,
                gz_sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        folders=("FashionMNIST/raw", "fashion-mnist", "fashion"),
        mirrors=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/"
            "fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        keras="fashion-mnist",
    ),
    Published(
        "kmnist",
        "KMNIST",
        "https://codh.rois.ac.jp/kmnist/",
        (
            File(
                "train-images-idx3-ubyte",
                47_040_016,
                gz_sha256="51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                npz="kmnist-train-imgs.npz",
            ),
            File(
                "train-labels-idx1-ubyte",
                60_008,
                gz_sha256="e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                npz="kmnist-train-labels.npz",
            ),
            File(
                "t10k-images-idx3-ubyte",
                7_840_016,
                gz_sha256="edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                npz="kmnist-test-imgs.npz",
            ),
            File(
                "t10k-labels-idx1-ubyte",
                10_008,
                gz_sha256="20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
                npz="kmnist-test-labels.npz",
            ),
        ),
        folders=("KMNIST/raw", "kmnist"),
        mirrors=(
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
    ),
    Published(
        "qmnist",
        "QMNIST",
        "https://github.com/facebookresearch/qmnist",
        (
            File(
                "qmnist-train-images-idx3-ubyte",
                47_040_016,
                gz_sha256="9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d",
            ),
            File(
                "qmnist-train-labels-idx2-int",
                1_920_012,
                gz_sha256="2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f",
            ),
            File(
                "qmnist-test-images-idx3-ubyte",
                47_040_016,
                gz_sha256="43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375",
            ),
            File(
                "qmnist-test-labels-idx2-int",
                1_920_012,
                gz_sha256="9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06",
            ),
        ),
        folders=("QMNIST/raw", "qmnist", ""),
        mirrors=("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
        label_rows=True,
    ),
    *map(
        _emnist,
        ("letters", "balanced", "digits", "mnist", "byclass", "bymerge"),
        (26, 47, 10, 10, 62, 47),
    ),
)
DATASETS = {record.name: record for record in _RECORDS}


def record_of(name: str) -> Published:
    """Return the record of a data set; ValueError or TypeError if no data set has that name."""
    if not isinstance(name, str):
        got = " ".join(reprlib.repr(name).split())
        raise TypeError(
            f"name: expected a data set's name, one of {', '.join(DATASETS)}, got {got}"
        )
    if name not in DATASETS:
        raise ValueError(
            f"name: expected {', '.join(DATASETS)}, got {quoted(name)}"
            f"{did_you_mean(name, DATASETS)}"
        )
    return DATASETS[name]


def mnist_hashes_match(arrays: tuple[Split, Split]) -> bool:
    """Return whether `arrays`, as `load_mnist` returns them, are MNIST itself.

    Parameters
    ----------
    arrays : tuple of pairs of ndarray
        ``(x_train, y_train), (x_test, y_test)``, uint8.

    Returns
    -------
    bool
        True if all four have the SHA-256 of the published files.

    Examples
    --------
    >>> import rnn_native as rn
    >>> pair = rn.datasets.synthetic_digits(10)
    >>> rn.datasets.mnist_hashes_match((pair, pair))
    False
    """
    (x_train, y_train), (x_test, y_test) = arrays
    pairs = zip(DATASETS["mnist"].files, (x_train, y_train, x_test, y_test), strict=True)
    return all(
        sha256_of(idx_header(array), np.ascontiguousarray(array).reshape(-1).data)
        == file.sha256
        for file, array in pairs
    )


def sha256_of(*pieces: bytes | bytearray | memoryview) -> str:
    """Return the SHA-256 of pieces in a row, in hexadecimal digits."""
    import hashlib

    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
