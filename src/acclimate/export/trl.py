"""TRL: rows and a YAML for ``trl sft --config``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from acclimate.export.rows import Form, Job, Row


class Trl:
    """Texts as they are, prompts with their completions; of a conversation every answer with all that came before it.

    TRL can leave questions out of the loss of whole conversations only where the chat template marks the answers, and few do. In
    the prompt-completion layout it needs no mark: so a conversation of two answers becomes two rows, and each answer is learned
    once.

    Formats: "Dataset formats and types" and "SFT Trainer" of huggingface/trl; checked with version 1.16.0.
    """

    command: ClassVar[str] = "trl sft --config train.yaml"

    def rows(self, rows: Sequence[Row], form: Form) -> tuple[list[Row], int]:
        """A completion begins with a space, which TRL does not add; a conversation without an answer is left out."""
        if form == "text":
            return list(rows), 0
        if form == "prompt":
            return [{**row, "completion": f" {row['completion']}"} for row in rows], 0
        found = [(row, _answers(row)) for row in rows]
        return [answer for _, answers in found for answer in answers], sum(not answers for _, answers in found)

    def files(self, job: Job) -> dict[str, Any]:
        """``train.yaml``."""
        adapts = job.parameters != "full"
        return {
            "train.yaml": {
                "model_name_or_path": job.model,
                "trust_remote_code": False,
                "datasets": [{"path": "json", "data_files": "train.jsonl", "split": "train", "columns": _COLUMNS[job.form]}],
                **({"dataset_text_field": "text"} if job.form == "text" else {"completion_only_loss": True}),
                "max_length": job.max_length,
                "packing": job.form == "text",
                "output_dir": "output",
                "per_device_train_batch_size": job.micro_batch,
                "gradient_accumulation_steps": job.accumulation,
                "learning_rate": job.lr,
                "max_steps": job.steps,
                "lr_scheduler_type": "linear",
                "warmup_steps": job.warmup_steps,
                "weight_decay": 0.01,
                "logging_steps": 10,
                "seed": job.seed,
                "report_to": "none",
                **({"use_peft": True, "lora_r": job.rank, "lora_alpha": 2 * job.rank, "lora_dropout": 0.0} if adapts else {}),
                **({"lora_target_modules": "all-linear"} if adapts else {}),
                **({"use_dora": True} if job.parameters == "dora" else {}),
                **({"load_in_4bit": True} if job.parameters == "qlora" else {}),
            }
        }


_COLUMNS: dict[Form, list[str]] = {"text": ["text"], "prompt": ["prompt", "completion"], "chat": ["prompt", "completion"]}


def _answers(row: Row) -> list[Row]:
    turns = row["messages"]
    return [
        {"prompt": turns[:place], "completion": [turn], "id": f"{row['id']}#{place}"}
        for place, turn in enumerate(turns)
        if turn["role"] == "assistant" and place
    ]
