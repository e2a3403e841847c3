"""LLaMA-Factory: ``dataset_info.json`` beside the rows, and a YAML for ``llamafactory-cli train``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from acclimate.export.rows import Form, Job, Row, split_system

NAME = "acclimate"
#: Chat templates by what a model's name holds, first match; LLaMA-Factory does not read the tokenizer's own.
TEMPLATES = {
    "smollm2": "smollm2",
    "smollm": "smollm",
    "qwen3": "qwen3",
    "qwen": "qwen",
    "llama-3": "llama3",
    "llama3": "llama3",
    "llama-2": "llama2",
    "gemma-3": "gemma3",
    "gemma": "gemma",
    "mistral": "mistral",
    "phi-4": "phi4",
}


class LlamaFactory:
    """Texts for stage ``pt``, prompts in the Alpaca layout, conversations in the ShareGPT layout with OpenAI's tags.

    Formats: ``data/README.md`` of hiyouga/LLaMA-Factory; checked with version 0.9.5.
    """

    command: ClassVar[str] = "llamafactory-cli train train.yaml"

    def rows(self, rows: Sequence[Row], form: Form) -> tuple[list[Row], int]:
        """Conversations must take turns, the user first, and end with an answer: others would be skipped in silence."""
        if form != "chat":
            return list(rows), 0
        kept = [row for row in rows if _takes_turns(row)]
        return kept, len(rows) - len(kept)

    def files(self, job: Job) -> dict[str, Any]:
        """``dataset_info.json`` and ``train.yaml``."""
        columns: dict[Form, dict[str, str]] = {
            "text": {"prompt": "text"},
            "prompt": {"prompt": "prompt", "response": "completion"},
            "chat": {"messages": "messages"},
        }
        described: dict[str, Any] = {"file_name": "train.jsonl", "columns": columns[job.form]}
        if job.form == "chat":
            described["formatting"] = "sharegpt"
            described["tags"] = {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
                "system_tag": "system",
            }
        return {"dataset_info.json": {NAME: described}, "train.yaml": self._training(job)}

    def _training(self, job: Job) -> dict[str, Any]:
        adapts = job.parameters != "full"
        lower = job.model.lower()
        template = next((name for part, name in TEMPLATES.items() if part in lower), "default")
        return {
            "model_name_or_path": job.model,
            "trust_remote_code": False,
            "stage": "pt" if job.form == "text" else "sft",
            "do_train": True,
            "finetuning_type": "lora" if adapts else "full",
            **({"lora_rank": job.rank, "lora_target": "all"} if adapts else {}),
            **({"use_dora": True} if job.parameters == "dora" else {}),
            **({"quantization_bit": 4, "quantization_method": "bnb"} if job.parameters == "qlora" else {}),
            "dataset": NAME,
            "dataset_dir": ".",
            "template": template,
            "cutoff_len": job.max_length,
            "packing": job.form == "text",
            "output_dir": "output",
            "logging_steps": 10,
            "save_steps": 500,
            "per_device_train_batch_size": job.micro_batch,
            "gradient_accumulation_steps": job.accumulation,
            "learning_rate": job.lr,
            "max_steps": job.steps,
            "lr_scheduler_type": "linear",
            "warmup_steps": job.warmup_steps,
            "seed": job.seed,
            "report_to": "none",
        }


def _takes_turns(row: Row) -> bool:
    system, turns = split_system(row["messages"])
    roles = [turn["role"] for turn in turns]
    return len(system) <= 1 and bool(roles) and roles == ["user", "assistant"] * (len(roles) // 2)
