"""axolotl: rows and a YAML for ``axolotl train``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from acclimate.export.rows import Form, Job, Row


class Axolotl:
    """Texts as ``completion``, conversations by the tokenizer's own ``chat_template``, prompts by a format of their own that adds
    nothing but a line break.

    Formats: ``docs/dataset-formats`` of axolotl-ai-cloud/axolotl; checked with version 0.19.0.
    """

    command: ClassVar[str] = "axolotl train train.yaml"

    def rows(self, rows: Sequence[Row], form: Form) -> tuple[list[Row], int]:
        """A conversation without an answer has nothing to train on, and is left out."""
        if form != "chat":
            return list(rows), 0
        kept = [row for row in rows if any(turn["role"] == "assistant" for turn in row["messages"])]
        return kept, len(rows) - len(kept)

    def files(self, job: Job) -> dict[str, Any]:
        """``train.yaml``."""
        kinds: dict[Form, dict[str, Any]] = {
            "text": {"type": "completion", "field": "text"},
            "prompt": {
                "type": {
                    "system_prompt": "",
                    "field_instruction": "prompt",
                    "field_output": "completion",
                    "format": "{instruction}\n",
                    "no_input_format": "{instruction}\n",
                }
            },
            "chat": {
                "type": "chat_template",
                "field_messages": "messages",
                "roles_to_train": ["assistant"],
                "train_on_eos": "turn",
            },
        }
        return {
            "train.yaml": {
                "base_model": job.model,
                "trust_remote_code": False,
                **({"chat_template": "tokenizer_default_fallback_chatml"} if job.form == "chat" else {}),
                "datasets": [{"path": "train.jsonl", "ds_type": "json", **kinds[job.form]}],
                "dataset_prepared_path": "prepared",
                "train_on_inputs": False,
                "sequence_len": job.max_length,
                "sample_packing": False,
                **self._adapter(job),
                "output_dir": "output",
                "micro_batch_size": job.micro_batch,
                "gradient_accumulation_steps": job.accumulation,
                "learning_rate": job.lr,
                "max_steps": job.steps,
                "optimizer": "adamw_torch",
                "lr_scheduler": "linear",
                "warmup_steps": job.warmup_steps,
                "weight_decay": 0.01,
                "bf16": "auto",
                "gradient_checkpointing": True,
                "logging_steps": 10,
                "seed": job.seed,
            }
        }

    def _adapter(self, job: Job) -> dict[str, Any]:
        if job.parameters == "full":
            return {}
        quantised = job.parameters == "qlora"
        return {
            "adapter": "qlora" if quantised else "lora",
            **({"load_in_4bit": True} if quantised else {}),
            **({"peft_use_dora": True} if job.parameters == "dora" else {}),
            "lora_r": job.rank,
            "lora_alpha": 2 * job.rank,
            "lora_dropout": 0.0,
            "lora_target_linear": True,
        }
