"""Per-example gradients equal those of single backward passes; padding and batch mates leave no trace; the store remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from acclimate.errors import InputError
from acclimate.features.adam import precondition, read_adam
from acclimate.features.gradients import LoraGradients
from acclimate.models.causal import CausalModel
from tests.causal import make_causal

TEXTS = ["a", "two words", "three more words", "", "发烧了三天", "x" * 60, "something rather longer than the others are"]
TALK = [{"role": "user", "content": "two and two?"}, {"role": "assistant", "content": "four"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="module")
def model(folder: Path) -> CausalModel:
    return CausalModel(str(folder), device="cpu")


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that peft trained for three steps, and its optimiser's state, as transformers saves them."""
    torch.manual_seed(0)
    peft = peft_model(folder)
    optimiser = torch.optim.AdamW([p for p in peft.parameters() if p.requires_grad], lr=0.05, betas=(0.8, 0.99), eps=1e-7)
    for _ in range(3):
        ids = torch.randint(0, 200, (2, 12))
        peft(input_ids=ids, labels=ids).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    place = tmp_path_factory.mktemp("adapter")
    peft.save_pretrained(place)
    torch.save(optimiser.state_dict(), place / "optimizer.pt")
    return place


def peft_model(folder: Path) -> Any:
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM")
    return get_peft_model(AutoModelForCausalLM.from_pretrained(folder), config)


def single_gradients(folder: Path, gradients: LoraGradients, examples: list[Any]) -> np.ndarray:
    """Each example alone, unpadded, through peft and torch's own backward pass."""
    peft = peft_model(folder).eval()
    named = {name: p for name, p in peft.named_parameters() if p.requires_grad}
    factors = [part for layer in gradients.adapter.layers for part in (layer.down, layer.up)]
    rows = []
    for parameter, value in zip(named.values(), factors, strict=True):
        parameter.data.copy_(value)
    for example in examples:
        tokens = gradients.model.tokens(example)
        ids = torch.from_numpy(tokens.ids[None])
        labels = torch.where(torch.from_numpy(tokens.scored[None]), ids, -100)
        peft.zero_grad()
        if tokens.scored.any():
            peft(input_ids=ids, labels=labels).loss.backward()
        rows.append(np.concatenate([np.zeros(p.numel()) if p.grad is None else p.grad.numpy().ravel() for p in named.values()]))
    return np.stack(rows)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_gradients_of_a_batch_equal_those_of_single_backward_passes(folder: Path, model: CausalModel, trained: Path) -> None:
    gradients = LoraGradients(model, adapter=trained)
    found, expected = gradients.exact(TEXTS), single_gradients(folder, gradients, TEXTS)
    assert (expected != 0).any(axis=0).all()  # both factors of every layer have one
    for row, text in enumerate(TEXTS):
        if len(text) > 1:
            assert relative_error(found[row], expected[row]) < 1e-5


def test_gradients_of_a_fresh_adapter_lie_in_its_second_factor(folder: Path, model: CausalModel) -> None:
    gradients = LoraGradients(model, rank=4, alpha=8)
    found, expected = gradients.exact(TEXTS), single_gradients(folder, gradients, TEXTS)
    assert relative_error(found, expected) < 1e-5
    start = 0
    for name, (rows, columns) in gradients.adapter.parameters:
        assert (found[:, start : start + rows * columns] == 0).all() == name.endswith("lora_A")
        start += rows * columns


def test_gradients_of_a_conversation_are_those_of_its_answers(folder: Path, model: CausalModel, trained: Path) -> None:
    gradients = LoraGradients(model, adapter=trained)
    found, expected = gradients.exact([TALK]), single_gradients(folder, gradients, [TALK])
    assert relative_error(found, expected) < 1e-5


def test_padding_does_not_leak(model: CausalModel, trained: Path) -> None:
    """Another padding token, in other words another text behind the padding, changes no bit."""
    gradients = LoraGradients(model, adapter=trained)
    before = gradients.exact(TEXTS)
    pad = model.tokenizer.pad_token
    try:
        model.tokenizer.pad_token = "<|user|>"
        after = gradients.exact(TEXTS)
    finally:
        model.tokenizer.pad_token = pad
    assert before.tobytes() == after.tobytes()


def test_a_sketch_does_not_depend_on_batch_mates_or_order(model: CausalModel, trained: Path) -> None:
    def sketches(rows: list[int]) -> np.ndarray:
        return LoraGradients(model, adapter=trained, dim=64, cache=None)([TEXTS[row] for row in rows])

    whole = sketches(list(range(len(TEXTS))))
    assert (whole[[0, 3]] == 0).all()  # nothing to score
    assert sketches([5, 2, 1]).tobytes() == whole[[5, 2, 1]].tobytes()
    assert sketches([4]).tobytes() == whole[[4]].tobytes()


def test_the_model_is_left_as_it_was(model: CausalModel, trained: Path) -> None:
    before = model.losses(TEXTS)[0]
    LoraGradients(model, adapter=trained).exact(TEXTS)
    assert model.losses(TEXTS)[0].tobytes() == before.tobytes()
    assert not any(p.requires_grad or p.grad is not None for p in model.model.parameters())


def test_what_was_computed_is_kept_on_disk(model: CausalModel, trained: Path, tmp_path: Path) -> None:
    first = LoraGradients(model, adapter=trained, dim=64, cache=tmp_path)
    some = first(TEXTS[:4])
    again = LoraGradients(model, adapter=trained, dim=64, cache=tmp_path)
    assert again([*TEXTS, TEXTS[0]])[:4].tobytes() == some.tobytes()
    assert (first.cache.computed, again.cache.computed) == (4, 3)
    other = LoraGradients(model, adapter=trained, adam=trained / "optimizer.pt", dim=64, cache=tmp_path)
    assert other(TEXTS[1:2]).tobytes() != some[1:2].tobytes()
    assert other.cache.computed == 1


def test_a_text_is_not_mistaken_for_a_conversation(model: CausalModel, trained: Path) -> None:
    gradients = LoraGradients(model, adapter=trained, dim=64, cache=None)
    assert gradients([TALK, str(TALK)]).shape == (2, 64)
    assert gradients.cache.computed == 2


def test_preconditioned_gradients_are_the_step_that_torch_would_take(model: CausalModel, trained: Path, folder: Path) -> None:
    """One more step of AdamW without decay, on one example, moves its parameters by lr times what is computed here."""
    gradients = LoraGradients(model, adapter=trained, adam=trained / "optimizer.pt")
    found = gradients.exact(TEXTS[-1:])[0]
    peft = peft_model(folder)
    named = {name: p for name, p in peft.named_parameters() if p.requires_grad}
    saved = load_file(trained / "adapter_model.safetensors")
    for name, parameter in named.items():
        parameter.data.copy_(saved[name.replace(".default", "")])
    optimiser = torch.optim.AdamW(named.values(), lr=0.05)
    optimiser.load_state_dict(torch.load(trained / "optimizer.pt", weights_only=True))
    for group in optimiser.param_groups:
        group["weight_decay"] = 0
    before = torch.cat([p.detach().flatten() for p in named.values()])
    ids = torch.from_numpy(model.tokens(TEXTS[-1]).ids[None])
    peft.eval()(input_ids=ids, labels=ids).loss.backward()
    optimiser.step()
    after = torch.cat([p.detach().flatten() for p in named.values()])
    assert relative_error(found, ((before - after) / 0.05).numpy()) < 1e-3  # the difference of parameters has few digits


def test_steps_and_gradients_at_one_state_can_be_multiplied(model: CausalModel, trained: Path) -> None:
    """Momentum, which all steps share, is kept exactly: products err less than those of plain sketches as short."""
    state = trained / "optimizer.pt"
    steps = LoraGradients(model, adapter=trained, adam=state, dim=64, cache=None)
    plain = LoraGradients(model, adapter=trained, adam=state, as_steps=False, dim=64, cache=None)
    texts = [TEXTS[row] for row in (1, 2, 4, 5, 6)]
    exact = steps.exact(texts) @ plain.exact(texts).T
    assert steps(texts).shape == (5, steps.width) == (5, 65)
    naive = steps.sketch(steps.exact(texts)) @ steps.sketch(plain.exact(texts)).T
    found = steps(texts) @ plain(texts).T
    assert np.linalg.norm(found - exact) < 0.7 * np.linalg.norm(naive - exact)
    assert (steps([""]) == 0).all()


def test_adam_states_of_any_trainer_read_alike(model: CausalModel, trained: Path, folder: Path, tmp_path: Path) -> None:
    parameters = LoraGradients(model, adapter=trained).adapter.parameters
    by_order = torch.load(trained / "optimizer.pt", weights_only=True)
    expected = read_adam(trained / "optimizer.pt", parameters)
    assert (expected.step, expected.betas, expected.eps) == (3, (0.8, 0.99), 1e-7)
    names = [name for name, p in peft_model(folder).named_parameters() if p.requires_grad]
    shuffled = dict(reversed(list(zip(names, by_order["state"].values(), strict=True))))
    group = {**by_order["param_groups"][0], "params": list(range(len(names))), "param_names": names}
    tensors = {f"{name}.{key}": value for name, entry in shuffled.items() for key, value in entry.items()}
    save_file(tensors, tmp_path / "moments.safetensors")
    for source in (
        by_order,
        shuffled,
        {"state": {f"module.{name}": entry for name, entry in shuffled.items()}, "param_groups": [group]},
        {"state": by_order["state"], "param_groups": [group]},
        tmp_path / "moments.safetensors",
    ):
        state = read_adam(source, parameters)
        assert state.exp_avg.tolist() == expected.exp_avg.tolist()
        assert state.exp_avg_sq.tolist() == expected.exp_avg_sq.tolist()
        assert state.step == 3


def test_an_adam_state_that_does_not_fit_is_refused(model: CausalModel, trained: Path, tmp_path: Path) -> None:
    parameters = LoraGradients(model, adapter=trained).adapter.parameters
    state = torch.load(trained / "optimizer.pt", weights_only=True)
    with pytest.raises(InputError, match="it has 16 without names"):
        read_adam(state, parameters[:-1])
    with pytest.raises(InputError, match="with shape"):
        read_adam(state, [parameters[1], parameters[0], *parameters[2:]])
    with pytest.raises(InputError, match="There is no optimiser state"):
        read_adam(tmp_path / "absent.pt", parameters)
    torch.save({"state": {}, "code": Path}, tmp_path / "odd.pt")
    with pytest.raises(InputError, match="could not be read safely"):
        read_adam(tmp_path / "odd.pt", parameters)


def test_an_adapter_of_another_model_is_refused(model: CausalModel, trained: Path, tmp_path: Path) -> None:
    weights = load_file(trained / "adapter_model.safetensors")
    save_file(
        {name.replace("layers.1", "layers.7"): value for name, value in weights.items()}, tmp_path / "adapter_model.safetensors"
    )
    (tmp_path / "adapter_config.json").write_bytes((trained / "adapter_config.json").read_bytes())
    with pytest.raises(InputError, match=r"does not fit the model's layer 'model.layers.7"):
        LoraGradients(model, adapter=tmp_path).exact(["abc"])
    with pytest.raises(InputError, match="There is no LoRA adapter"):
        LoraGradients(model, adapter=tmp_path / "absent").exact(["abc"])
    with pytest.raises(InputError, match="No linear layer of the model is called query"):
        LoraGradients(model, targets=["query"]).exact(["abc"])


def test_preconditioning_follows_the_published_formula() -> None:
    rng = np.random.default_rng(0)
    gradients, mean = rng.normal(size=(3, 5)), rng.normal(size=5)
    square = rng.random(5)
    entry = {"exp_avg": torch.tensor(mean), "exp_avg_sq": torch.tensor(square), "step": torch.tensor(4.0)}
    state = read_adam({"w": entry}, [("w", (5,))])
    m = (0.9 * mean + 0.1 * gradients) / (1 - 0.9**5)
    v = (0.999 * square + 0.001 * gradients**2) / (1 - 0.999**5)
    found = precondition(torch.tensor(gradients, dtype=torch.float32), state)
    np.testing.assert_allclose(found, m / (np.sqrt(v) + 1e-8), rtol=1e-5)
