"""What acclimate made, for other programs: adapted models as plain ones of transformers, and selected and augmented data with a
ready configuration for the frameworks that train language models."""

from __future__ import annotations

from acclimate.export.axolotl import Axolotl
from acclimate.export.llama_factory import LlamaFactory
from acclimate.export.rows import Framework
from acclimate.export.trl import Trl

#: Frameworks by the name that ``acclimate export --to`` takes. A new one is a file and a line.
FRAMEWORKS: dict[str, type[Framework]] = {"llama-factory": LlamaFactory, "axolotl": Axolotl, "trl": Trl}
#: Formats of acclimate's own data files.
FILES = ("parquet", "jsonl")
#: Everything that ``--to`` takes.
TARGETS = ("transformers", *FRAMEWORKS, *FILES)
