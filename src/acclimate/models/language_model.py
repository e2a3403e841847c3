"""Language models in two halves: the body, and what scores the vocabulary: for the next token, or for hidden ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

from acclimate.errors import InputError
from acclimate.models.layers import find_layers, mixing
from acclimate.models.mixture import Mixture
from acclimate.models.objective import Modality


class LanguageModelConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers ships no types
    """What a :class:`LanguageModel` is made of: the configuration of the model inside, as a dict with its ``model_type``."""

    model_type = "acclimate-language-model"

    inner: dict[str, Any] | None = None


class LanguageModel(PreTrainedModel):  # type: ignore[misc]  # transformers ships no types
    """Any causal model of transformers behind the two halves that objectives work on.

    A representation is one vector per token, ``(b, t, d)``: what the decoder gives to the layer that scores the vocabulary. Logits
    at a position are of the token that follows it, and so are the labels of a batch.
    """

    config_class = LanguageModelConfig
    modality: Modality = "causal-lm"
    auto_class: ClassVar[Any] = AutoModelForCausalLM
    accepts_loss_kwargs = False  # the trainer's loss is a mean over the batch, not a sum that it should divide

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__(config)
        settings = dict(config.inner or {"model_type": "gpt2"})
        self.inner = self.auto_class.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings))
        self.post_init()

    @classmethod
    def copy_of(cls, model: PreTrainedModel) -> Self:
        """A copy of a pre-trained language model, every weight of which can be trained."""
        settings = model.config.to_dict()
        settings.pop("_name_or_path", None)
        with torch.random.fork_rng(devices=[]):  # building draws weights that are replaced at once
            made = cls(LanguageModelConfig(inner=settings))
        made.inner.load_state_dict(model.state_dict())
        made.tie_weights()
        return made

    @property
    def classes(self) -> tuple[str, ...]:
        """None: the next token is no class of the user's."""
        return ()

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.layers)

    @property
    def layers(self) -> list[nn.Module]:
        """The hidden layers, first to last."""
        return find_layers(self.inner.base_model)

    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """``input_ids`` ``(b, t)`` to their embeddings ``(b, t, d)``."""
        vectors: Tensor = self.inner.get_input_embeddings()(inputs["input_ids"])
        return vectors

    def represent(self, inputs: Mapping[str, Tensor], *, embedded: Tensor | None = None, mixture: Mixture | None = None) -> Tensor:
        """``input_ids`` and ``attention_mask`` ``(b, t)`` to the decoder's last vectors ``(b, t, d)``.

        Where ``position_ids`` say that several documents stand in a row, none sees another: without a mask of its own, attention of
        transformers begins anew wherever positions do.

        Args:
            embedded: ``(b, t, d)``, read instead of ``input_ids``.
            mixture: mixes texts inside the decoder, position by position.
        """
        mask = inputs["attention_mask"]
        read = {"input_ids": inputs["input_ids"]} if embedded is None else {"inputs_embeds": embedded}
        seen = {"position_ids": inputs["position_ids"]} if "position_ids" in inputs else {"attention_mask": mask}
        with mixing(find_layers(self.inner.base_model) if mixture else [], mixture, mask):
            hidden: Tensor = self.inner.base_model(**read, **seen, use_cache=False).last_hidden_state
        return hidden

    def classify(self, representation: Tensor) -> Tensor:
        """``(b, t, d)`` to the logits of each next token ``(b, t, v)``."""
        logits: Tensor = self.inner.get_output_embeddings()(representation)
        return logits

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        step: Callable[[LanguageModel], Tensor] | None = None,
    ) -> CausalLMOutput:
        """Logits of a batch; or the loss that ``step`` computes with this model, see :class:`TextClassifier`."""
        if step is not None:
            return CausalLMOutput(loss=step(self))
        if input_ids is None:
            raise InputError("A batch without input_ids", expected="input_ids and attention_mask, both (b, t)")
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return CausalLMOutput(logits=self.classify(self.represent({"input_ids": input_ids, "attention_mask": mask})))


class MaskedLanguageModel(LanguageModel):
    """Any masked model of transformers behind the same two halves.

    A representation is one vector per hidden token, ``(b, m, d)``: the head scores the vocabulary for these alone, which for small
    models is most of the work that it would otherwise do.
    """

    modality: Modality = "masked-lm"
    auto_class = AutoModelForMaskedLM

    def represent(self, inputs: Mapping[str, Tensor], *, embedded: Tensor | None = None, mixture: Mixture | None = None) -> Tensor:
        """``input_ids`` and ``attention_mask`` ``(b, t)`` to the last vectors ``(b, m, d)`` at the places ``masked`` ``(b, m)``; at
        every place where these are not given."""
        mask = inputs["attention_mask"]
        read = {"input_ids": inputs["input_ids"]} if embedded is None else {"inputs_embeds": embedded}
        with mixing(self.layers if mixture else [], mixture, mask):
            hidden: Tensor = self.inner.base_model(**read, attention_mask=mask).last_hidden_state
        if "masked" not in inputs:
            return hidden
        places = inputs["masked"].unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        return hidden.gather(1, places)

    def classify(self, representation: Tensor) -> Tensor:
        """``(b, m, d)`` to the logits of each hidden token ``(b, m, v)``.

        Architectures name and build their heads differently, but all put them behind the body: so the whole model is asked, with
        a body that answers with what is given.
        """
        body = self.inner.base_model
        body.forward = lambda *_args, **_settings: BaseModelOutput(last_hidden_state=representation)
        try:
            ids = torch.zeros(representation.shape[:2], dtype=torch.long, device=representation.device)
            logits: Tensor = self.inner(input_ids=ids).logits
        finally:
            del body.forward
        return logits
