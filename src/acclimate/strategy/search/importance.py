"""How much each setting matters: the share of the variance of the trials' accuracies that it explains by itself or with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acclimate.strategy.search.space import Space
from acclimate.strategy.search.study import quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

#: Complete trials below which a share of variance means nothing.
FEWEST = 8


def importance(trials: Sequence[FrozenTrial], space: Space, seed: int = 0) -> dict[str, float]:
    """Shares by setting, the largest first; empty where there are too few complete trials, or all of them scored the same.

    Functional analysis of variance over a random forest (Hutter 2014), as Optuna computes it.
    """
    import optuna
    from optuna.trial import TrialState

    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if len(complete) < FEWEST or len({trial.value for trial in complete}) < 2:
        return {}
    with quiet():
        study = optuna.create_study(direction="maximize")
        study.add_trials(complete)
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(space))
    return dict(found)
