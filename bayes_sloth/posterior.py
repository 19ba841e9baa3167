"""The frozen result of a fit: draws with labels, the model, and what happened while fitting."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_sloth.assembly import assemble
from bayes_sloth.catalogue import Benchmark
from bayes_sloth.covariates import Scaling, scaling_of
from bayes_sloth.errors import FitStatus, InputError
from bayes_sloth.files import whole_file
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, FLOOR, ITEMS, MODEL, SCORE
from bayes_sloth.scores import Scores
from bayes_sloth.spec import ModelSpec
from bayes_sloth.tables.columns import METADATA

# Raised when a file's layout changes; a file of a later layout is refused, not misread.
FORMAT: Final = 2
KIND: Final = "bayes_sloth posterior"
# What every fit holds; a file without one of these cannot be used, whatever its label says.
GROUPS: Final = ("posterior", "sample_stats", "observed_data", "constant_data")
# What earlier fits held too, and is computed when asked for now: a number for every draw of every score.
DROPPED: Final = "log_likelihood"
# Text that netCDF stores at its own length only when it comes as objects.
TEXT: Final = (FAMILY, "parent")


@dataclass(frozen=True)
class FitReport:
    """What happened while fitting.

    Parameters
    ----------
    method : str
        `hmc`, `nuts`, `map` or `laplace`.
    seed : int
        Of the fit.
    status : FitStatus
        Whether the fit is to be trusted.
    messages : tuple of str
        In words: what converged, what did not, and what to do about it.
    seconds : float
        Wall time.
    versions : dict
        Of the packages that decide the numbers.
    data_digest : str
        SHA-256 of the table fitted.
    settings : dict
        Chains, draws, warm-up.
    findings : tuple of str
        In words: whether several modes were found, and which rows of the table look wrong.

    Examples
    --------
    >>> FitReport("map", 0, FitStatus.NOT_TRUSTED, ("a point estimate",), 1.0, {}, "").method
    'map'
    """

    method: str
    seed: int
    status: FitStatus
    messages: tuple[str, ...]
    seconds: float
    versions: dict[str, str]
    data_digest: str
    settings: dict[str, int] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say it in a few lines."""
        verdict = "to be trusted" if self.status is FitStatus.FINE else "not to be trusted as it stands"
        head = f"fit by {self.method}, seed {self.seed}, {self.seconds:.0f} s: {verdict}"
        return "\n".join([head, *(f"  {sentence}" for sentence in (*self.messages, *self.findings))])


@dataclass(frozen=True, eq=False)
class Posterior:
    """A fitted model: whatever the method, draws of every quantity with names.

    Parameters
    ----------
    data : xarray.DataTree
        Groups `posterior`, `sample_stats`, `observed_data`, `constant_data`, as ArviZ expects them; dims
        chain, draw, model, benchmark, family, skill, covariate. `log_likelihood` adds the group of that name.
    spec : ModelSpec
        The model, with the anchors that were used.
    report : FitReport
        What happened while fitting.

    Examples
    --------
    >>> draws = xr.Dataset(coords={"chain": range(4), "draw": range(1000)})
    >>> report = FitReport("hmc", 0, FitStatus.FINE, (), 90.0, {}, "")
    >>> Posterior(xr.DataTree.from_dict({"/posterior": draws}), ModelSpec(), report).draws
    4000
    """

    data: xr.DataTree
    spec: ModelSpec
    report: FitReport

    @property
    def draws(self) -> int:
        """Number of draws over all chains."""
        sizes = self.data["posterior"].sizes
        return int(sizes[CHAIN] * sizes[DRAW])

    @property
    def scores(self) -> Scores:
        """The table that was fitted."""
        constant = self.data["constant_data"].dataset
        observed = self.data["observed_data"].dataset
        models = {MODEL: constant[MODEL].values} | {name: constant[name].values for name in METADATA}
        known = zip(constant[BENCHMARK].values, constant[FLOOR].values, strict=True)
        benchmarks = [Benchmark(str(name), float(floor)) for name, floor in known]
        score, items = observed[SCORE].values, constant[ITEMS].values
        return assemble(pd.DataFrame(models), benchmarks, score, items=items)

    @property
    def scaling(self) -> Scaling:
        """Centres and spreads of log size, log tokens and date over the fitted table."""
        return scaling_of(self.scores.metadata)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one netCDF file, which `load` reads back; draws, table, model and report.

        Parameters
        ----------
        path : str or path
            Replaced when it exists.

        Raises
        ------
        InputError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile, bayes_sloth as bs
        >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
        >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fit.save(f"{folder}/fit.nc")
        ...     bs.load(f"{folder}/fit.nc").report.seed
        0
        """
        report = asdict(self.report) | {"status": int(self.report.status)}
        about = {"kind": KIND, "format": FORMAT, "spec": self.spec.to_dict(), "report": report}
        tree = self.data.copy()
        tree.attrs = {"bayes_sloth": json.dumps(about)}
        # Draws are noise to a compressor: little is saved and much time lost at higher levels.
        level = {"compression": "gzip", "compression_opts": 1}
        packed = {
            f"/{group}": {name: level for name, variable in node.data_vars.items() if variable.ndim > 2}
            for group, node in tree.children.items()
        }
        try:
            with whole_file(Path(path)) as temporary:
                tree.to_netcdf(temporary, engine="h5netcdf", encoding=packed)
        except OSError as error:
            raise InputError(
                f"cannot write {path}: {error.strerror or error}; choose another place."
            ) from error

    def __repr__(self) -> str:
        """Say in a few lines what was fitted and how it went."""
        sizes = self.data["posterior"].sizes
        table = f"{sizes[MODEL]} models of {sizes[FAMILY]} families, {sizes[BENCHMARK]} benchmarks"
        drawn = f"{sizes[CHAIN]} chains of {sizes[DRAW]} draws, {self.spec.skills} skills"
        anchors = ", ".join(self.spec.anchors or ())
        return f"Posterior: {table}; {drawn} (anchors {anchors})\n{self.report!r}"


def load(path: str | os.PathLike[str]) -> Posterior:
    """Read a fit that `Posterior.save` wrote; it predicts without the table it came from.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Posterior
        Read wholly into memory.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, or written by a later version.

    Examples
    --------
    >>> load("no_such_fit.nc")
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: there is no file no_such_fit.nc: check the path.
    """
    place = Path(path)
    if not place.is_file():
        raise InputError(f"there is no file {place}: check the path.")
    try:
        with xr.open_datatree(place, engine="h5netcdf") as tree:
            tree = tree.drop_nodes(DROPPED, errors="ignore").load()
        about = json.loads(tree.attrs.get("bayes_sloth", "null"))
    # Whatever a damaged file makes h5py, xarray or json raise, it is a damaged file.
    except Exception as error:
        raise InputError(
            f"{place} is not a readable fit ({error}): fit again, or take another file."
        ) from error
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise InputError(f"{place} is not a fit of bayes_sloth: give a file that `Posterior.save` wrote.")
    form = about.get("format")
    if isinstance(form, int) and form > FORMAT:
        raise InputError(f"{place} was written by a later version of bayes_sloth: upgrade, or fit again.")
    return _restored(tree, about, place)


def _restored(tree: xr.DataTree, about: dict[str, Any], place: Path) -> Posterior:
    try:
        if about["format"] != FORMAT:
            raise ValueError(f"layout {about['format']!r} is unknown")
        for group in GROUPS:
            tree[group]
        report = about["report"]
        # Fits of before there were findings have none.
        words: dict[str, Any] = {name: tuple(report.get(name, ())) for name in ("messages", "findings")}
        words["status"] = FitStatus(report["status"])
        tree.attrs = {}
        return Posterior(tree, ModelSpec.from_dict(about["spec"]), FitReport(**(report | words)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{place} is a damaged fit ({error}): fit again, or take another file.") from error


def observed_groups(scores: Scores) -> dict[str, xr.Dataset]:
    """Return the table as the two groups of a DataTree that hold data.

    Parameters
    ----------
    scores : Scores
        The table.

    Returns
    -------
    dict of Dataset
        `observed_data` with the scores; `constant_data` with all that is known besides.
    """
    data = scores.data
    bare = data.drop_vars([*METADATA, FLOOR])
    known = {name: data[name].reset_coords(drop=True) for name in (*METADATA, FLOOR)}
    constant = xr.Dataset({ITEMS: bare[ITEMS]} | known)
    for name in TEXT:
        constant[name] = constant[name].astype(object)
    return {"observed_data": bare[[SCORE]], "constant_data": constant}


def labelled(values: dict[str, Any], dims: dict[str, tuple[str, ...]], coords: dict[str, Any]) -> xr.Dataset:
    """Return arrays of shape (chain, draw, ...) as a dataset with named dims.

    Parameters
    ----------
    values : dict of arrays
        By variable name.
    dims : dict of tuple of str
        Dims after chain and draw; a variable without an entry has dims of its own.
    coords : dict
        Labels of the dims.

    Returns
    -------
    Dataset
        Dims chain, draw and those named.
    """
    found = {}
    for name, value in values.items():
        own = tuple(f"{name}_dim_{i}" for i in range(np.ndim(value) - 2))
        found[name] = ((CHAIN, DRAW, *dims.get(name, own)), np.asarray(value))
    used = {dim for dimensions, _ in found.values() for dim in dimensions}
    return xr.Dataset(found, coords={name: labels for name, labels in coords.items() if name in used})
