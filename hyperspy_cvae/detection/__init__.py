"""From reconstructions to anomalies: noise, scores, thresholds, as pure functions."""

from hyperspy_cvae.detection._automatic import bulk_histogram, bulk_p_values, find_anomalies
from hyperspy_cvae.detection._baseline import as_good
from hyperspy_cvae.detection._edges import BEFORE_ONSET, BEHIND_ONSET, Edge, edges_at
from hyperspy_cvae.detection._explain import explain_difference
from hyperspy_cvae.detection._extent import extent_p_values, large_regions
from hyperspy_cvae.detection._findings import EXPLAINED_AT_ONCE, Explanation, Explanations, Finding
from hyperspy_cvae.detection._found import find_anomalous_regions
from hyperspy_cvae.detection._local import with_local_misfit
from hyperspy_cvae.detection._noise import Noise, estimate_noise
from hyperspy_cvae.detection._patches import BulkDeviations
from hyperspy_cvae.detection._pearson import pearson_correlation
from hyperspy_cvae.detection._quality import ReconstructionQuality, reconstruction_quality
from hyperspy_cvae.detection._rare_bulk import SURE, without_rare_bulk
from hyperspy_cvae.detection._regions import Region, ResidualScale, describe_regions, without_small
from hyperspy_cvae.detection._scores import (
    QUANTITIES,
    Score,
    check_score,
    energy_bin,
    energy_width,
    score_spectra,
)
from hyperspy_cvae.detection._threshold import (
    Limit,
    Threshold,
    anomalous,
    as_limit,
    fixed_threshold,
    otsu_threshold,
)

__all__ = [
    "BEFORE_ONSET",
    "BEHIND_ONSET",
    "EXPLAINED_AT_ONCE",
    "QUANTITIES",
    "SURE",
    "BulkDeviations",
    "Edge",
    "Explanation",
    "Explanations",
    "Finding",
    "Limit",
    "Noise",
    "ReconstructionQuality",
    "Region",
    "ResidualScale",
    "Score",
    "Threshold",
    "anomalous",
    "as_good",
    "as_limit",
    "bulk_histogram",
    "bulk_p_values",
    "check_score",
    "describe_regions",
    "edges_at",
    "energy_bin",
    "energy_width",
    "estimate_noise",
    "explain_difference",
    "extent_p_values",
    "find_anomalies",
    "find_anomalous_regions",
    "fixed_threshold",
    "large_regions",
    "otsu_threshold",
    "pearson_correlation",
    "reconstruction_quality",
    "score_spectra",
    "with_local_misfit",
    "without_rare_bulk",
    "without_small",
]
