"""Jacobians of the whole state, and what their products over time come to.

products    `product_jacobians`, `step_jacobians`, `singular_values_by_lag`: of one step, and of all steps to the last
lyapunov    `lyapunov_exponents`: growth a step of every direction, the dimension and determinants beside it
"""

from gradlab.analyses.jacobians.lyapunov import (
    EXPONENT_COLUMNS,
    StepLogarithms,
    kaplan_yorke_dimension,
    log_determinants,
    lyapunov_exponents,
    lyapunov_spectrum,
    step_logarithms,
    unstable_directions,
)
from gradlab.analyses.jacobians.products import (
    BOUND,
    LAG_COLUMNS,
    RANDOM_COTANGENT,
    SINGULAR_COLUMNS,
    SINGULAR_VALUE,
    STEEPEST,
    Farthest,
    ProductJacobians,
    farthest,
    numbers_of,
    product_jacobians,
    random_unit,
    singular_values_by_lag,
    spectral_norm_bound,
    step_jacobians,
)

__all__ = [
    "BOUND",
    "EXPONENT_COLUMNS",
    "LAG_COLUMNS",
    "RANDOM_COTANGENT",
    "SINGULAR_COLUMNS",
    "SINGULAR_VALUE",
    "STEEPEST",
    "Farthest",
    "ProductJacobians",
    "StepLogarithms",
    "farthest",
    "kaplan_yorke_dimension",
    "log_determinants",
    "lyapunov_exponents",
    "lyapunov_spectrum",
    "numbers_of",
    "product_jacobians",
    "random_unit",
    "singular_values_by_lag",
    "spectral_norm_bound",
    "step_jacobians",
    "step_logarithms",
    "unstable_directions",
]
