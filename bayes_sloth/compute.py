"""What training and use of a model cost."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.names import ACTIVE_PARAMS_B, PARAMS_B, TOKENS_T

# FLOPs that a billion parameters take for a trillion tokens: six a parameter and token in training, forward
# and backward, and two in use, forward alone (Kaplan et al. 2020, section 2.1).
TRAINING: Final = 6e21
INFERENCE: Final = 2e21


def training_flops(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the compute of training models, 6 FLOPs for each active parameter and token.

    Parameters
    ----------
    rows : DataFrame
        Columns `params_b`, `active_params_b` and `tokens_t`; where no active size is told, all are active.

    Returns
    -------
    array, dims (row)
        FLOPs; NaN where size or tokens are not known.

    Examples
    --------
    >>> rows = pd.DataFrame({"params_b": [7.0], "active_params_b": [np.nan], "tokens_t": [2.0]})
    >>> training_flops(rows).tolist()
    [8.4e+22]
    """
    active = rows[ACTIVE_PARAMS_B].fillna(rows[PARAMS_B]).to_numpy(dtype=float)
    found: NDArray[np.float64] = TRAINING * active * rows[TOKENS_T].to_numpy(dtype=float)
    return found
