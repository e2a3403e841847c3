"""A text classifier in two halves: any Hugging Face encoder with masked mean pooling, and a linear head over its classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from acclimate.errors import InputError
from acclimate.models.encoder import Encoder
from acclimate.models.layers import find_layers, mixing
from acclimate.models.mixture import Mixture
from acclimate.models.objective import Modality
from acclimate.models.pooling import mean_pool

#: Standard deviation of a fresh head's weights: the value BERT starts its own heads with (Devlin 2019, ``initializer_range``).
HEAD_STD = 0.02


class TextClassifierConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers ships no types
    """What a :class:`TextClassifier` is made of.

    Attributes:
        encoder: the encoder's own configuration, as a dict with its ``model_type``.
        pooling: how token vectors become one vector; ``"mean"`` over real tokens.
        head_dropout: share of the representation that is dropped before the head while training.
        id2label: class number to class name (of Hugging Face).
    """

    model_type = "acclimate-text-classifier"

    encoder: dict[str, Any] | None = None
    pooling: str = "mean"
    head_dropout: float = 0.1


class TextClassifier(PreTrainedModel):  # type: ignore[misc]  # transformers ships no types
    """Encoder → masked mean of its last layer → dropout → linear head.

    The mean over tokens rather than the first token is how sentence encoders such as MiniLM were trained (Reimers & Gurevych 2019,
    section 3), so a fine-tuned model starts from the very vectors that the frozen probe sees.
    """

    config_class = TextClassifierConfig
    modality: Modality = "text"
    accepts_loss_kwargs = False  # the trainer's loss is a mean over the batch, not a sum that it should divide

    def __init__(self, config: TextClassifierConfig) -> None:
        super().__init__(config)
        if config.pooling != "mean":
            raise InputError(f"A text classifier with pooling '{config.pooling}'", expected="pooling 'mean'")
        settings = dict(config.encoder or {"model_type": "bert"})
        self.encoder = AutoModel.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings))
        self.dropout = nn.Dropout(config.head_dropout)
        self.head = nn.Linear(self.encoder.config.hidden_size, config.num_labels)
        self.post_init()

    @classmethod
    def from_encoder(cls, encoder: Encoder, classes: Sequence[str], seed: int, head_dropout: float = 0.1) -> Self:
        """A copy of a pre-trained encoder under a fresh head.

        The head depends on ``seed``, the width and the number of classes alone: arms with the same seed start from the same.
        """
        names = dict(enumerate(classes))
        numbers = {name: number for number, name in names.items()}
        settings = encoder.model.config.to_dict()
        settings.pop("_name_or_path", None)  # the folder it was read from: the same model saved elsewhere should be the same bytes
        config = TextClassifierConfig(encoder=settings, head_dropout=head_dropout, id2label=names, label2id=numbers)
        with torch.random.fork_rng(devices=[]):  # building draws weights that are replaced at once; the caller's draws stay put
            model = cls(config)
        model.encoder.load_state_dict(encoder.model.state_dict())
        generator = torch.Generator().manual_seed(seed)
        nn.init.normal_(model.head.weight, std=HEAD_STD, generator=generator)
        nn.init.zeros_(model.head.bias)
        return model

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in the order of the logits."""
        return tuple(self.config.id2label[number] for number in range(self.config.num_labels))

    @property
    def depth(self) -> int:
        """Number of the encoder's layers."""
        return len(self.layers)

    @property
    def layers(self) -> list[nn.Module]:
        """The hidden layers, first to last."""
        return find_layers(self.encoder)

    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """``input_ids`` ``(b, t)`` to their embeddings ``(b, t, d)``, before positions are added."""
        vectors: Tensor = self.encoder.get_input_embeddings()(inputs["input_ids"])
        return vectors

    def represent(self, inputs: Mapping[str, Tensor], *, embedded: Tensor | None = None, mixture: Mixture | None = None) -> Tensor:
        """``input_ids`` and ``attention_mask`` ``(b, t)`` to the mean of the real tokens' vectors ``(b, d)``.

        Args:
            embedded: ``(b, t, d)``, read instead of ``input_ids``.
            mixture: mixes texts inside the encoder; the mean is then over the positions where either has a token (TMix, Chen 2020).
        """
        mask = inputs["attention_mask"]
        read = {"input_ids": inputs["input_ids"]} if embedded is None else {"inputs_embeds": embedded}
        with mixing(find_layers(self.encoder) if mixture else [], mixture, mask):
            hidden = self.encoder(**read, attention_mask=mask).last_hidden_state
        return mean_pool(hidden, mixture.union(mask) if mixture else mask)

    def classify(self, representation: Tensor) -> Tensor:
        """``(b, d)`` to logits ``(b, c)``."""
        logits: Tensor = self.head(self.dropout(representation))
        return logits

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        step: Callable[[TextClassifier], Tensor] | None = None,
    ) -> SequenceClassifierOutput:
        """Logits of a batch; or the loss that ``step`` computes with this model.

        Training passes ``step``, which calls :meth:`represent` and :meth:`classify` as often as its objectives ask. It runs
        inside ``forward`` because wrappers such as DDP and FSDP hook into ``forward`` and must see everything a step computes.
        """
        if step is not None:
            return SequenceClassifierOutput(loss=step(self))
        if input_ids is None:
            raise InputError("A batch without input_ids", expected="input_ids and attention_mask, both (b, t)")
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return SequenceClassifierOutput(logits=self.classify(self.represent({"input_ids": input_ids, "attention_mask": mask})))
