"""The best trials of a study as a suite on fresh seeds: by how much the search's own score flatters them, and who is
best.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import yaml

from atinuke_bench.config import MOST_SEED, CoreVariant, StudyOrigin, SuiteConfig
from atinuke_bench.errors import ConfigError, StudyError
from atinuke_bench.files import write_text
from atinuke_bench.runs.study_columns import data_of
from atinuke_bench.sweeps.definition import StudyConfig, known_versions
from atinuke_bench.sweeps.study import Study, score_of

FILE = "best.json"
#: The folder of a store that keeps the records of these suites; reports show their runs with their studies.
ROOM = "studies"


def used_seeds(config: StudyConfig) -> list[int]:
    """The seeds of a study's trials."""
    return [config.seed]


def fresh_seeds(config: StudyConfig, number: int) -> list[int]:
    """So many seeds that no trial of a study had, from the one after its last on."""
    used = used_seeds(config)
    every = (seed % (MOST_SEED + 1) for seed in count(max(used) + 1))
    return list(islice((seed for seed in every if seed not in used), number))


def best_trials(study: Study, number: int | None = None) -> list[Any]:
    """The complete trials with the best scores, those with the same run once; StudyError without any."""
    complete = [trial for trial in study.trials() if trial.state.name == "COMPLETE"]
    if not complete:
        raise StudyError(f"study {study.config.name!r} has no complete trial to retrain")
    sign = 1 if study.higher_is_better else -1
    complete.sort(key=lambda trial: (-sign * trial.values[0], trial.number))
    different: dict[str, Any] = {}
    for trial in complete:
        different.setdefault(repr(sorted(study.draw_of(trial).overrides.items())), trial)
    return list(different.values())[:number]


def origin_of(study: Study, trial: Any, rank: int) -> StudyOrigin:
    """What a column of a suite keeps of the trial that it is."""
    config, drawn = study.config, study.draw_of(trial).overrides
    return StudyOrigin(
        study=config.name,
        rank=rank,
        trial=trial.number,
        settings={**config.overrides, **drawn},
        tasks=[config.task],
        metric=config.metric,
        source=data_of(config.make_run(drawn).source),
        versions=known_versions(config),
        seeds=used_seeds(config),
    )


def best_suite(study: Study, *, name: str, num_seeds: int, num_rivals: int) -> SuiteConfig:
    """The best trial and its rivals as columns `best`, `rival-1`, …, on fresh seeds; StudyError without any."""
    config, columns = study.config, {}
    for rank, trial in enumerate(best_trials(study, 1 + num_rivals), start=1):
        origin = origin_of(study, trial, rank)
        columns["best" if rank == 1 else f"rival-{rank - 1}"] = CoreVariant(
            core=config.core, preset=config.preset, overrides=origin.settings, study=origin
        )
    return SuiteConfig(
        name=name,
        description=f"The best trials of study {config.name} on fresh seeds",
        tasks=[config.task],
        cores=columns,
        seeds=fresh_seeds(config, num_seeds),
        source=data_of(config.source),
        declarations={} if config.declaration is None else {f"{config.declaration.name}.yaml": config.declaration},
    )


def best_record(
    study: Study,
    suite: SuiteConfig,
    results: Sequence[tuple[str, Mapping[str, Any]]],
    folders: Mapping[tuple[str, int], str],
) -> dict[str, Any]:
    """What `best.json` says of the finished runs of a `best_suite`: columns with results, and folders in the store.

    The order by means of the selection score on fresh seeds is the one to trust; the evaluated splits only report.
    """
    entries, trials = [], study.trials()
    for column, variant in suite.cores.items():
        assert variant.study is not None, "the columns of the suite are trials"
        trial = trials[variant.study.trial]
        own = [result for name, result in results if name == column]
        entries.append(
            {
                "number": trial.number,
                "config": study.draw_of(trial).overrides,
                "score_in_study": trial.values[0],
                "selection": _summary(result["selection"]["score"] for result in own),
                "evaluated": _summary(result["score"] for result in own),
                "split": own[0]["split"] if own else None,
                "metric": own[0]["metric"] if own else None,
                "folders": [folders[column, result["seed"]] for result in own],
            }
        )
    sign = 1 if study.higher_is_better else -1
    entries.sort(key=lambda entry: _rank(entry["selection"]["mean"], sign))
    return {"schema": 1, "study": study.config.name, "seeds": suite.seeds, "trials": entries}


def write_suite(study: Study, file: Path, *, num_seeds: int, num_rivals: int) -> SuiteConfig:
    """Write `best_suite` as YAML with explicit settings, that any store can carry out; it is named like the file.

    A task of the user's own goes into a file beside it. ConfigError where the file is there already, RunFolderError
    where it cannot be written.
    """
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--as-suite takes a YAML file; found {file}; nearest: {file.with_suffix('.yaml')}")
    suite = best_suite(study, name=file.stem, num_seeds=num_seeds, num_rivals=num_rivals)
    record = suite.model_dump(mode="json", exclude_unset=True, exclude={"declarations"})
    record["source"] = {name: value for name, value in record["source"].items() if value is not None}
    texts = {}
    for declaration in suite.declarations.values():
        task = file.with_name(f"{file.stem}.task.yaml")
        texts[task] = _yaml(declaration.model_dump(mode="json", exclude_defaults=True))
        record["tasks"] = [task.name]
    for column in record["cores"].values():
        del column["study"]
    head, _, columns = _yaml(record).partition("cores:\n")
    texts[file] = f"{_about(study, suite)}{head}cores:\n{_with_origins(columns, study, suite)}"
    for path in texts:
        if path.exists():
            raise ConfigError(f"--as-suite {path}: there is such a file; give another name, or remove it")
    for path, text in texts.items():
        write_text(path, text)
    return suite


def _about(study: Study, suite: SuiteConfig) -> str:
    config, used = study.config, ", ".join(map(str, used_seeds(study.config)))
    lines = [
        f"# The best trials of study {config.name}, from sweep best {config.name} --as-suite.",
        f"# Its trials had seed {used}, by which they were chosen; the seeds here are fresh.",
    ]
    return "\n".join(lines) + "\n"


def _with_origins(columns: str, study: Study, suite: SuiteConfig) -> str:
    """The columns as they are written, each below a comment on the trial that it is."""
    trials, lines = study.trials(), []
    for line in columns.splitlines():
        name = line.strip().removesuffix(":")
        if line.startswith("  ") and not line.startswith("   ") and (found := suite.cores.get(name)) and found.study:
            score = score_of(trials[found.study.trial])
            said = f"trial {found.study.trial}, number {found.study.rank} of study {found.study.study}"
            lines.append(f"  # {said}: selection {study.config.metric} {score:.6g}")
        lines.append(line)
    return "\n".join(lines) + "\n"


def _yaml(record: Mapping[str, Any]) -> str:
    return yaml.safe_dump(record, sort_keys=False, allow_unicode=True)


def _rank(mean: float | None, sign: int) -> tuple[bool, float]:
    """The best mean first, and last what has none."""
    return mean is None, 0.0 if mean is None else -sign * mean


def _summary(values: Iterable[float | None]) -> dict[str, Any]:
    """Mean, standard deviation and number of the scores there are."""
    known = [value for value in values if value is not None]
    return {
        "mean": statistics.fmean(known) if known else None,
        "deviation": statistics.stdev(known) if len(known) > 1 else None,
        "count": len(known),
    }
